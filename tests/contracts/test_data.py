"""What every source of data promises, asked of each registered kind."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter

from ftcli.plans.data_splits import DataSplits, apply_split_record, split_record
from ftcli.registry import implementation, kinds, union_of

KINDS = list(kinds("data"))
WITHOUT_CLASSES = ("corpus", "corpus_csv", "python_docs")
WITH_CLASSES = [kind for kind in KINDS if kind not in WITHOUT_CLASSES]
OPTIONAL = {"hf_dataset": "datasets", "text_hf_dataset": "datasets"}
"""Kind -> the package that it needs beside those of ftcli."""


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """A small set of real data for each kind, as its section of a recipe."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    lines = ["file_name,label"]
    for name in ("zebra", "ant", "bee"):
        (root / "images" / name).mkdir(parents=True)
        for number in range(12):
            file = root / "images" / name / f"{number}.png"
            Image.fromarray(rng.integers(0, 255, (6, 5, 3), dtype=np.uint8)).save(file)
            lines.append(f"images/{name}/{number}.png,{name}")
    (root / "list.csv").write_text("\n".join(lines))
    _write_shards(root)
    _write_mnist(root / "MNIST" / "raw")
    _write_texts(root)
    if find_spec("datasets"):
        _write_arrow(root)
    return {
        "corpus": {"path": str(root / "texts")},
        "corpus_csv": {"path": str(root / "texts.csv")},
        "csv": {"path": str(root / "list.csv")},
        "digits": {},
        "docstrings": {},
        "folder": {"path": str(root / "images")},
        "hf_dataset": {"path": str(root / "arrow")},
        "python_docs": {},
        "text_csv": {"path": str(root / "texts.csv")},
        "text_folder": {"path": str(root / "texts")},
        "text_hf_dataset": {"path": str(root / "table.parquet")},
        "torchvision": {"path": str(root), "name": "MNIST"},
        "webdataset": {"path": str(root / "data-{00..02}.tar")},
    }


def _write_texts(root: Path) -> None:
    lines = ["text,label"]
    for name in ("zebra", "ant", "bee"):
        (root / "texts" / name).mkdir(parents=True)
        for number in range(12):
            text = f"a text of {name}, the {number}th"
            (root / "texts" / name / f"{number}.txt").write_text(text, encoding="utf-8")
            lines.append(f'"{text}",{name}')
    (root / "texts.csv").write_text("\n".join(lines), encoding="utf-8")


def _write_shards(root: Path) -> None:
    """Each class's images, a shard each, with .cls labels."""
    for number, name in enumerate(("zebra", "ant", "bee")):
        with tarfile.open(root / f"data-{number:02}.tar", "w") as tar:
            for image in range(12):
                content = {
                    "png": (root / "images" / name / f"{image}.png").read_bytes(),
                    "cls": name.encode(),
                }
                for suffix, data in content.items():
                    member = tarfile.TarInfo(f"{image:03}.{suffix}")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))


def _write_arrow(root: Path) -> None:
    """The folder of images as save_to_disk leaves it; the classes in the order of their ClassLabel."""
    import datasets

    names = ["zebra", "ant", "bee"]
    files = [str(root / "images" / name / f"{number}.png") for name in names for number in range(12)]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=names)})
    rows = datasets.Dataset.from_dict(
        {"image": files, "label": [i // 12 for i in range(36)]}, features=features
    )
    rows.save_to_disk(root / "arrow")
    texts = [f"a text of {name}, the {number}th" for name in names for number in range(12)]
    labels = [name for name in names for _ in range(12)]
    datasets.Dataset.from_dict({"text": texts, "label": labels}).to_parquet(root / "table.parquet")


def _write_mnist(raw: Path) -> None:
    raw.mkdir(parents=True)
    for prefix, count in (("train", 80), ("t10k", 30)):
        size = struct.pack(">I", count)
        labels = bytes(i % 10 for i in range(count))
        (raw / f"{prefix}-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + size + labels)
        sides = struct.pack(">II", 28, 28)
        (raw / f"{prefix}-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + size + sides + bytes(784 * count))


def _open(recipes: dict[str, dict[str, Any]], kind: str, seed: int = 0) -> DataSplits:
    if kind in OPTIONAL:
        pytest.importorskip(OPTIONAL[kind])
    options = TypeAdapter(union_of("data")).validate_python({"kind": kind, **recipes[kind]})
    splits = implementation(options, "open_splits")(options, seed)
    assert isinstance(splits, DataSplits)
    return splits


@pytest.mark.parametrize("kind", KINDS)
def test_the_streams_are_disjoint_and_cover_everything(recipes: dict[str, Any], kind: str) -> None:
    splits = _open(recipes, kind)
    assert list(splits.streams) == ["train", "val", "test"]
    together = [index for indices in splits.streams.values() for index in indices]
    assert sorted(together) == list(range(len(splits.examples)))
    assert all(list(indices) == sorted(indices) for indices in splits.streams.values())


@pytest.mark.parametrize("kind", WITHOUT_CLASSES)
def test_documents_of_a_corpus_have_no_class(recipes: dict[str, Any], kind: str) -> None:
    splits = _open(recipes, kind)
    assert splits.classes == ()
    assert {example.label for example in splits.examples} == {()}
    assert splits.count_per_class("train") == {}


@pytest.mark.parametrize("kind", WITH_CLASSES)
def test_every_class_stands_in_every_stream_that_was_split_off(recipes: dict[str, Any], kind: str) -> None:
    splits = _open(recipes, kind)
    assert len(set(splits.classes)) == len(splits.classes)
    assert {example.label for example in splits.examples} == set(range(len(splits.classes)))
    for stream in splits.streams:
        assert min(splits.count_per_class(stream).values()) > 0


@pytest.mark.parametrize("kind", ["csv", "folder", "text_csv", "text_folder", "webdataset"])
def test_classes_that_have_no_order_of_their_own_are_sorted(recipes: dict[str, Any], kind: str) -> None:
    assert _open(recipes, kind).classes == ("ant", "bee", "zebra")


@pytest.mark.parametrize("kind", KINDS)
def test_keys_name_the_examples_for_good(recipes: dict[str, Any], kind: str) -> None:
    keys = [example.key for example in _open(recipes, kind).examples]
    assert len(set(keys)) == len(keys)
    assert keys == [example.key for example in _open(recipes, kind, seed=7).examples]
    assert not any(key.startswith("/") or ".." in key or "\\" in key for key in keys)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides_the_split(recipes: dict[str, Any], kind: str) -> None:
    assert _open(recipes, kind, seed=1).streams == _open(recipes, kind, seed=1).streams
    assert _open(recipes, kind, seed=1).streams != _open(recipes, kind, seed=2).streams


@pytest.mark.parametrize("kind", KINDS)
def test_the_record_brings_back_another_seeds_split(recipes: dict[str, Any], kind: str) -> None:
    first = _open(recipes, kind, seed=1)
    assert apply_split_record(_open(recipes, kind, seed=2), split_record(first)).streams == first.streams


@pytest.mark.parametrize("kind", KINDS)
def test_examples_load_here_and_in_another_process(recipes: dict[str, Any], kind: str) -> None:
    splits = _open(recipes, kind)
    for stream in splits.streams:
        index = splits.streams[stream][-1]
        example = splits.load(index)
        there = pickle.loads(pickle.dumps(splits.load))(index)
        if splits.texts:
            assert isinstance(example, str)
            assert example.split()
            assert example == there
        else:
            assert isinstance(example, Image.Image)
            assert min(example.size) > 0
            assert np.array_equal(np.asarray(example), np.asarray(there))
