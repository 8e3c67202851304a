"""Data sets of the library datasets, built here: Arrow folders, Parquet, image folders; the network is off."""

from __future__ import annotations

import builtins
import io
import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from ftcli.components.data.hf_dataset import HfDataset, open_splits
from ftcli.errors import DataError
from ftcli.plans.data_splits import DataSplits

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("asked the network"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def opened(path: Path | str, **options: Any) -> DataSplits:
    return open_splits(HfDataset.model_validate({"kind": "hf_dataset", "path": str(path), **options}), seed=0)


def encoded(image: Image.Image, form: str = "PNG", **how: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **how)
    return file.getvalue()


def gray(number: int) -> bytes:
    return encoded(Image.new("L", (4, 4), number))


def rows(count: int = 20, first: int = 0, **columns: Any) -> Any:
    """Dogs and cats in turn, the row's number as the gray of its image."""
    features = {"image": datasets.Image(), "label": datasets.ClassLabel(names=["dog", "cat"])}
    content = {
        "image": [{"bytes": gray(first + i), "path": None} for i in range(count)],
        "label": [i % 2 for i in range(count)],
    }
    made = datasets.Dataset.from_dict(content, features=datasets.Features(features))
    for name, values in columns.items():
        made = made.remove_columns(name) if name in made.column_names else made
        made = made.add_column(name, values)
    return made


def saved(path: Path, made: Any) -> Path:
    made.save_to_disk(str(path))
    return path


def counts(splits: DataSplits) -> dict[str, int]:
    return {stream: len(indices) for stream, indices in splits.streams.items()}


def grays(splits: DataSplits, stream: str) -> list[Any]:
    return [splits.load(i).getpixel((0, 0)) for i in splits.streams[stream]]


def test_a_lone_table_is_divided_and_keeps_its_order(tmp_path: Path) -> None:
    path = saved(tmp_path / "one", rows(40))
    splits = opened(path)
    assert splits.classes == ("dog", "cat"), "in the order of the ClassLabel"
    assert counts(splits) == {"train": 28, "val": 6, "test": 6}
    assert [e.key for e in splits.examples[:2]] == ["train/0000000", "train/0000001"]
    assert [splits.load(i).getpixel((0, 0)) for i in range(40)] == list(range(40))
    assert [e.label for e in splits.examples] == [i % 2 for i in range(40)]
    alone = opened(next(path.glob("*.arrow")))
    assert alone.examples == splits.examples
    assert alone.load(9).getpixel((0, 0)) == 9


def test_its_own_splits_are_taken_as_they_are(tmp_path: Path) -> None:
    made = datasets.DatasetDict({"test": rows(6, 100), "train": rows(10), "validation": rows(4, 50)})
    splits = opened(saved(tmp_path / "three", made))
    assert counts(splits) == {"train": 10, "val": 4, "test": 6}
    assert grays(splits, "val") == [50, 51, 52, 53]
    assert grays(splits, "test") == list(range(100, 106))
    assert splits.examples[splits.streams["val"][0]].key == "validation/0000000"


def test_parquet_files_of_a_folder_and_a_file(tmp_path: Path) -> None:
    (tmp_path / "pq" / "data").mkdir(parents=True)
    for name, made in {"train": rows(20), "test": rows(6, 100)}.items():
        made.to_parquet(str(tmp_path / "pq" / "data" / f"{name}-00000-of-00001.parquet"))
    splits = opened(tmp_path / "pq")
    assert splits.classes == ("dog", "cat")
    assert counts(splits) == {"train": 16, "val": 4, "test": 6}
    assert grays(splits, "test") == list(range(100, 106))
    alone = opened(tmp_path / "pq" / "data" / "test-00000-of-00001.parquet")
    assert sum(counts(alone).values()) == 6
    assert alone.classes == ("dog", "cat")


def test_parquet_of_another_hand_with_bytes_and_names(tmp_path: Path) -> None:
    """Without the library's own description: bytes are bytes, classes are the words that stand there."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table({"image": [gray(i) for i in range(12)], "label": ["b", "a"] * 6})
    parquet.write_table(table, tmp_path / "mine.parquet")
    splits = opened(tmp_path / "mine.parquet")
    assert splits.classes == ("a", "b")
    assert [e.label for e in splits.examples[:2]] == [1, 0]
    assert splits.load(7).getpixel((0, 0)) == 7


def test_whole_numbers_are_classes_in_their_order(tmp_path: Path) -> None:
    splits = opened(saved(tmp_path / "n", rows(44, label=[(2, 10)[i % 2] for i in range(44)])))
    assert splits.classes == ("2", "10")


def test_a_folder_of_images(tmp_path: Path, make_images: Callable[..., None]) -> None:
    for name in ("train/ant", "train/bee", "validation/ant", "validation/bee"):
        make_images(tmp_path / "images" / name, 5)
    splits = opened(tmp_path / "images")
    assert splits.classes == ("ant", "bee")
    assert counts(splits) == {"train": 8, "val": 10, "test": 2}
    assert splits.load(splits.streams["val"][3]).getpixel((0, 0)) == 3


def test_other_splits_are_refused_with_the_names_there_are(tmp_path: Path) -> None:
    made = datasets.DatasetDict({"train": rows(10), "extra": rows(10, 50), "dev": rows(4, 90)})
    path = saved(tmp_path / "s", made)
    with pytest.raises(DataError, match="called train, extra, dev, and not") as caught:
        opened(path)
    assert "data.splits: {train: train, test: NAME}" in str(caught.value.remedy)
    splits = opened(path, splits={"train": "extra", "val": "dev"})
    assert counts(splits) == {"train": 8, "val": 4, "test": 2}
    with pytest.raises(DataError, match="no split 'validation', but train, extra, dev"):
        opened(path, splits={"val": "validation"})
    with pytest.raises(DataError, match="one split twice"):
        opened(path, splits={"test": "train"})


def test_groups_times_and_weights(tmp_path: Path) -> None:
    made = rows(
        20,
        patient=[i // 2 for i in range(20)],
        taken=[date(2024, 1, 1 + i) for i in range(20)],
        kg=[float(i) for i in range(20)],
    )
    path = saved(tmp_path / "g", made)
    columns = {"group_column": "patient", "time_column": "taken", "weight_column": "kg"}
    splits = opened(path, split={"by": "group"}, **columns)
    example = splits.examples[7]
    assert (example.group, example.time, example.weight) == ("3", "2024-01-08", 7.0)
    of = {s: {splits.examples[i].group for i in indices} for s, indices in splits.streams.items()}
    assert not of["train"] & of["test"]
    newest = opened(path, split={"by": "time", "test": 0.2}, **columns)
    assert {newest.examples[i].time for i in newest.streams["test"]} == {
        f"2024-01-{day}" for day in range(17, 21)
    }
    with pytest.raises(DataError, match="no column 'doctor' in split 'train', but image, label") as caught:
        opened(path, group_column="doctor")
    assert caught.value.remedy == "change data.group_column"


def test_images_go_through_the_opener_of_files(tmp_path: Path) -> None:
    """EXIF turned, 16 bits kept, formats and pixels bounded: as for a file."""
    turned, exif = Image.new("RGB", (6, 4)), Image.Exif()
    exif[0x0112] = 6
    deep = Image.fromarray(np.full((4, 4), 40_000, dtype=np.uint16))
    svg = b"<svg xmlns='http://www.w3.org/2000/svg' width='4' height='4'/>"
    images = [
        encoded(turned, "JPEG", exif=exif),
        encoded(deep),
        encoded(Image.new("L", (9, 9))),
        encoded(Image.new("L", (4, 4)), "ICO"),
        svg,
    ] + [gray(i) for i in range(7)]
    made = rows(12)
    made = made.remove_columns("image").add_column("image", images).cast_column("image", datasets.Image())
    splits = opened(saved(tmp_path / "d", made), max_pixels=80)
    assert splits.load(0).size == (4, 6)
    assert splits.load(1).getpixel((0, 0)) == 40_000
    for index, message in ((2, "9 x 9 pixels are more than 80"), (3, "none of JPEG"), (4, "none of JPEG")):
        with pytest.raises(DataError, match=message) as caught:
            splits.load(index)
        assert f"train row {index}" in str(caught.value.where)


@pytest.mark.parametrize("stored", [{"bytes": None, "path": "https://a.example/b.png"}, None])
def test_an_image_that_is_not_there_fetches_nothing(tmp_path: Path, stored: Any) -> None:
    made = rows(12)
    images = [{"bytes": gray(0), "path": None}] * 11 + [stored]
    features = datasets.Features(
        {"image": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}}
    )
    other = datasets.Dataset.from_dict({"image": images}, features=features)
    made = datasets.concatenate_datasets([made.remove_columns("image"), other], axis=1)
    with pytest.raises(DataError, match=r"there is no file https|the row has no image"):
        opened(saved(tmp_path / "d", made)).load(11)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, -1] * 4, "row 2 of split 'train' has no class: '-1'"),
        (["a", "b", ""] * 4, "row 2"),
        ([0.5] * 12, "row 0"),
    ],
)
def test_a_row_without_a_class(tmp_path: Path, labels: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        opened(saved(tmp_path / "d", rows(12, label=labels)))


def test_columns_that_are_something_else(tmp_path: Path) -> None:
    path = saved(tmp_path / "d", rows(12, words=["x"] * 12))
    with pytest.raises(DataError, match="no column 'img' in split 'train', but image, label, words"):
        opened(path, image_column="img")
    with pytest.raises(DataError, match="'words' holds no images"):
        opened(path, image_column="words")


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "list.csv").write_text("a,b")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no more")
    for name, message in (
        ("gone", "no such file or folder"),
        ("empty", "cannot open it"),
        ("list.csv", "no file of a data set"),
        ("bad.parquet", "cannot open it"),
    ):
        with pytest.raises(DataError, match=message) as caught:
            opened(tmp_path / name)
        assert caught.value.where == str(tmp_path / name)
        assert caught.value.remedy


def test_a_reader_of_the_library_is_no_data_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="'pandas' is a reader"):
        opened("pandas")


def test_code_in_a_folder_is_not_run(tmp_path: Path) -> None:
    folder = tmp_path / "coded"
    (folder / "data").mkdir(parents=True)
    (folder / "coded.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    rows(20).to_parquet(str(folder / "data" / "train-00000-of-00001.parquet"))
    with suppress(DataError):
        opened(folder)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(ValidationError, match="trust_remote_code"):
        opened(folder, trust_remote_code=True)


def test_a_name_of_the_hub_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        DataError, match=r"datasets cannot open it: Couldn't reach 'somebody/beans'"
    ) as caught:
        opened("somebody/beans")
    assert "connect to the network" in str(caught.value.remedy)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without(name: str, *arguments: Any, **more: Any) -> Any:
        if name == "datasets":
            raise ImportError("No module named 'datasets'")
        return imported(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match="needs the package datasets") as caught:
        opened("somebody/beans")
    assert caught.value.remedy == "pip install 'ftcli[datasets]'"
    assert caught.value.exit_code == 4


def test_a_run_keeps_a_name_and_makes_a_folder_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ftcli.workflows.absolute_paths import with_absolute_paths
    from tests.toys import recipe

    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    kept = {
        path: with_absolute_paths(recipe(tmp_path, data={"kind": "hf_dataset", "path": path})).data.path
        for path in ("somebody/beans", "here", "./gone")
    }
    assert kept["somebody/beans"] == "somebody/beans"
    assert kept["here"] == str(tmp_path / "here")
    assert kept["./gone"] == str(tmp_path / "gone")


def test_a_run_from_parquet_of_cmyk_to_its_end(tmp_path: Path) -> None:
    """The example image of the run is a PNG, which has no CMYK."""
    from ftcli.workflows.train import train
    from tests.toys import ignore, recipe

    images = [encoded(Image.new("CMYK", (8, 8), (i * 9, 90, 0, 0)), "JPEG") for i in range(24)]
    made = rows(24).remove_columns("image").add_column("image", images).cast_column("image", datasets.Image())
    made.to_parquet(str(tmp_path / "cmyk.parquet"))
    data = {"kind": "hf_dataset", "path": str(tmp_path / "cmyk.parquet"), "image_size": 32}
    result = train(
        recipe(tmp_path, data=data, train={"epochs": 1, "batch_size": 8}),
        out=tmp_path / "run",
        resume=False,
        listener=ignore,
    )
    assert result.classes == ("dog", "cat")
    assert (tmp_path / "run" / "example.png").is_file()


@pytest.mark.parametrize("declared", [True, False])
def test_a_column_of_lists_is_multi_label(tmp_path: Path, declared: bool) -> None:
    told = [["cat"], ["cat", "dog"], [], ["dog"]] * 5
    names = ["dog", "cat"]
    inner = datasets.ClassLabel(names=names) if declared else datasets.Value("string")
    labels = [[names.index(name) for name in row] if declared else row for row in told]
    made = datasets.Dataset.from_dict(
        {"image": [{"bytes": gray(i), "path": None} for i in range(20)], "label": labels},
        features=datasets.Features({"image": datasets.Image(), "label": datasets.List(inner)}),
    )
    path = saved(tmp_path / "set", made)
    splits = opened(path, multi_label=True)
    assert splits.multi_label
    assert splits.classes == (("dog", "cat") if declared else ("cat", "dog"))
    assert [sorted(splits.classes[i] for i in example.labels) for example in splits.examples] == told
    with pytest.raises(DataError, match="holds lists") as caught:
        opened(path)
    assert "data.multi_label: true" in str(caught.value.remedy)
    with pytest.raises(DataError, match="holds no lists"):
        opened(saved(tmp_path / "single", rows()), multi_label=True)
