"""Images with several classes: how manifests and shards tell them, and how they are divided."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ftcli.components.data import _ratio
from ftcli.components.data.csv import Manifest
from ftcli.components.data.csv import open_splits as open_manifest
from ftcli.components.data.webdataset import WebDataset
from ftcli.components.data.webdataset import open_splits as open_shards
from ftcli.engine.sampler import order_of
from ftcli.errors import DataError
from ftcli.plans.data_splits import DataSplits, Example, apply_split_record, split_record
from ftcli.recipe.load import recipe_from

LABELS = [["cat"], ["cat", "dog"], [], ["dog"]] * 5


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(len(LABELS)):
        Image.new("L", (4, 4), number).save(tmp_path / f"{number:02}.png")
    return tmp_path


def manifest(folder: Path, text: str, name: str = "list.csv", **options: Any) -> DataSplits:
    (folder / name).write_text(text, encoding="utf-8")
    return open_manifest(Manifest(kind="csv", path=str(folder / name), **options), seed=0)


def by_separator(mark: str = "|") -> str:
    rows = [f"{number:02}.png,{mark.join(labels)}" for number, labels in enumerate(LABELS)]
    return "\n".join(["file_name,label", *rows])


def by_columns(yes: str = "1", no: str = "0", both: bool = True) -> str:
    rows = []
    for number, labels in enumerate(LABELS):
        told = labels if both else labels[:1] or ["cat"]
        cells = [yes if name in told else no for name in ("dog", "cat")]
        rows.append(f"{number:02}.png,{','.join(cells)}")
    return "\n".join(["file_name,dog,cat", *rows])


def named(splits: DataSplits) -> list[list[str]]:
    return [sorted(splits.classes[label] for label in example.labels) for example in splits.examples]


@pytest.mark.parametrize("mark", ["|", ";", " and "])
def test_a_cell_with_several_classes(photos: Path, mark: str) -> None:
    splits = manifest(photos, by_separator(mark), multi_label=True, label_separator=mark)
    assert splits.multi_label
    assert splits.classes == ("cat", "dog")
    assert named(splits) == LABELS
    assert [splits.target(i) for i in range(4)] == [(1, 0), (1, 1), (0, 0), (0, 1)]
    assert [splits.label_name(i) for i in range(4)] == ["cat", "cat, dog", "no class", "dog"]


def test_json_lines_have_lists(photos: Path) -> None:
    rows = [{"file_name": f"{n:02}.png", "label": labels} for n, labels in enumerate(LABELS)]
    text = "\n".join(json.dumps(row) for row in rows)
    assert named(manifest(photos, text, "list.jsonl", multi_label=True)) == LABELS
    with pytest.raises(DataError, match=r"line 1: label .* is a list; set multi_label: true"):
        manifest(photos, text, "list.jsonl")


@pytest.mark.parametrize(("yes", "no"), [("1", "0"), ("True", "False"), ("1.0", ""), ("yes", "no")])
def test_a_column_for_each_class(photos: Path, yes: str, no: str) -> None:
    splits = manifest(photos, by_columns(yes, no), multi_label=True, label_columns=["dog", "cat"])
    assert splits.classes == ("dog", "cat")  # as named, not as sorted
    assert named(splits) == LABELS


def test_a_recipe_names_the_columns() -> None:
    data = {"kind": "csv", "path": "list.csv", "multi_label": True, "label_columns": ["dog", "cat"]}
    recipe = recipe_from({"data": data, "model": {"backbone": "timm/resnet18"}, "strategy": "full"})
    assert recipe.data.label_columns == ("dog", "cat")


def test_columns_of_which_one_is_1_are_single_label(photos: Path) -> None:
    splits = manifest(photos, by_columns(both=False), label_columns=["dog", "cat"])
    assert not splits.multi_label
    assert [splits.target(i) for i in range(4)] == [1, 1, 1, 0]
    with pytest.raises(
        DataError, match=r"line 3: the columns of 2 classes are 1 \(dog, cat\); set multi_label"
    ):
        manifest(photos, by_columns(), label_columns=["dog", "cat"])


def test_a_cell_that_is_neither_yes_nor_no_is_told(photos: Path) -> None:
    text = by_columns().replace("01.png,1", "01.png,-1")
    with pytest.raises(DataError, match=r"line 3: column 'dog' is '-1'; 1 or 0 is expected"):
        manifest(photos, text, multi_label=True, label_columns=["dog", "cat"])
    with pytest.raises(DataError, match=r"no column 'bird'"):
        manifest(photos, by_columns(), multi_label=True, label_columns=["dog", "bird"])


def test_a_single_label_manifest_keeps_a_separator_in_its_names(photos: Path) -> None:
    rows = [f"{n:02}.png,{'cat|tabby' if n % 2 else 'dog'}" for n in range(len(LABELS))]
    assert manifest(photos, "\n".join(["file_name,label", *rows])).classes == ("cat|tabby", "dog")


def test_shards_have_lists_too(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for number, labels in enumerate(LABELS):
            picture = io.BytesIO()
            Image.new("L", (4, 4), number).save(picture, "PNG")
            _add(tar, f"{number:02}.png", picture.getvalue())
            if number % 2:
                _add(tar, f"{number:02}.cls", "|".join(labels).encode())
            else:
                _add(tar, f"{number:02}.json", json.dumps({"label": labels}).encode())
    splits = open_shards(WebDataset(kind="webdataset", path=str(tmp_path), multi_label=True), seed=0)
    assert named(splits) == LABELS
    with pytest.raises(DataError, match=r"'00\.png': label .* is a list; set multi_label: true"):
        open_shards(WebDataset(kind="webdataset", path=str(tmp_path)), seed=0)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def test_the_record_of_a_split_brings_it_back(photos: Path) -> None:
    splits = manifest(photos, by_separator(), multi_label=True)
    again = apply_split_record(splits, split_record(splits))
    assert again.streams == splits.streams
    assert again.multi_label


def test_balanced_sampling_goes_by_the_rarest_class() -> None:
    splits = made([(0,)] * 90 + [(0, 1)] * 10)
    drawn = [i for epoch in range(20) for i in order_of("balanced", splits, 0)(epoch)]
    rare = sum(i >= 90 for i in drawn) / len(drawn)
    assert 0.45 < rare < 0.55


labels_of_examples = st.lists(
    st.sets(st.integers(0, 4)).map(lambda s: tuple(sorted(s))), min_size=12, max_size=80
)


@given(labels_of_examples, st.integers(0, 5))
def test_a_split_by_ratio_divides_every_stratum_that_is_large_enough(
    labels: list[tuple[int, ...]], seed: int
) -> None:
    splits = made(labels)
    streams = _ratio.take(splits, {"val": 0.15, "test": 0.15}, seed)
    assert sorted(i for indices in streams.values() for i in indices) == list(range(len(labels)))
    for stratum in set(splits.strata):
        members = [i for i in range(len(labels)) if splits.strata[i] == stratum]
        if len(members) >= 8:
            assert all(set(members) & set(indices) for indices in streams.values())


def made(labels: list[tuple[int, ...]]) -> DataSplits:
    examples = tuple(Example(f"{number:03}", label) for number, label in enumerate(labels))
    return DataSplits(
        source="made",
        classes=("a", "b", "c", "d", "e"),
        examples=examples,
        streams={"train": tuple(range(len(labels)))},
        load=lambda index: Image.new("L", (1, 1)),
        multi_label=True,
    )
