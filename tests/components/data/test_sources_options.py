"""Options of the sources: nested classes, groups from paths, optional columns, Hugging Face's layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import ValidationError

from ftcli.components.data.csv import Manifest
from ftcli.components.data.csv import open_splits as open_manifest
from ftcli.components.data.folder import Folder, open_splits
from ftcli.components.data.torchvision import Torchvision
from ftcli.components.data.torchvision import open_splits as open_torchvision
from ftcli.errors import DataError
from ftcli.plans.data_splits import DataSplits

MakeImages = Callable[..., None]


def opened(path: Path, **options: Any) -> DataSplits:
    return open_splits(Folder.model_validate({"kind": "folder", "path": str(path), **options}), seed=0)


def manifest(folder: Path, text: str, **options: Any) -> DataSplits:
    (folder / "list.csv").write_text(text, encoding="utf-8")
    return open_manifest(
        Manifest.model_validate({"kind": "csv", "path": str(folder / "list.csv"), **options}), seed=0
    )


def test_nested_folders_are_classes_by_their_path(tmp_path: Path, make_images: MakeImages) -> None:
    for name in ("animals/cat", "animals/dog", "plants", "plants/old/rose"):
        make_images(tmp_path / name, 5)
    (tmp_path / "empty" / "deep").mkdir(parents=True)
    assert opened(tmp_path, nested=True).classes == (
        "animals/cat",
        "animals/dog",
        "plants",
        "plants/old/rose",
    )
    with pytest.raises(DataError, match="no training images of 'empty'"):
        opened(tmp_path)


def test_nested_folders_below_train_and_test(tmp_path: Path, make_images: MakeImages) -> None:
    for name in ("train/animals/cat", "train/animals/dog", "test/animals/cat", "test/animals/dog"):
        make_images(tmp_path / name, 5)
    splits = opened(tmp_path, nested=True)
    assert splits.classes == ("animals/cat", "animals/dog")
    assert splits.count_per_class("test") == {"animals/cat": 5, "animals/dog": 5}


def test_a_regular_expression_gives_the_group_of_each_image(tmp_path: Path) -> None:
    for patient in range(12):
        for number in range(3):
            path = tmp_path / "ab"[patient % 2] / f"patient{patient}_{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.new("L", (4, 4)).save(path)
    splits = opened(tmp_path, group=r"patient(\d+)", split={"by": "group"})
    assert {example.group for example in splits.examples} == {str(patient) for patient in range(12)}
    of = {s: {splits.examples[i].group for i in indices} for s, indices in splits.streams.items()}
    assert not of["train"] & of["val"]
    assert not (of["train"] | of["val"]) & of["test"]

    Image.new("L", (4, 4)).save(tmp_path / "a" / "unknown.png")
    with pytest.raises(DataError, match=r"1 of 37 images have no group, 'a/unknown\.png' first"):
        opened(tmp_path, group=r"patient(\d+)", split={"by": "group"})
    assert len(opened(tmp_path, group=r"patient(\d+)").examples) == 37, "by ratio nobody asks for a group"


@pytest.mark.parametrize("pattern", ["patient", "(a)(b)", "patient("])
def test_a_pattern_without_one_group_is_a_mistake_of_the_recipe(pattern: str) -> None:
    with pytest.raises(ValidationError, match=r"one pair of parentheses|not a regular expression"):
        Folder(kind="folder", path=".", group=pattern)


@pytest.mark.parametrize(("folder", "file"), [("", "metadata.csv"), ("images", "metadata.jsonl")])
def test_a_folder_of_hugging_face_s_layout_names_its_manifest(
    tmp_path: Path, make_images: MakeImages, folder: str, file: str
) -> None:
    make_images(tmp_path / folder, 5)
    (tmp_path / file).write_text("x")
    with pytest.raises(DataError) as caught:
        opened(tmp_path)
    assert f"data.kind csv, data.path {tmp_path / file}" in str(caught.value.remedy)


def test_columns_of_groups_times_and_weights(pets: Path) -> None:
    rows = [f"{c}s/{i:03}.png,{c},{i // 2},2024-01-{i + 1:02},{i}" for c in ("cat", "dog") for i in range(10)]
    text = "\n".join(["file_name,label,group,time,weight", *rows])
    splits = manifest(pets, text)
    example = splits.examples[13]
    assert (example.key, example.group, example.time, example.weight) == (
        "dogs/003.png",
        "1",
        "2024-01-04",
        3.0,
    )
    newest = manifest(pets, text, split={"by": "time", "test": 0.2})
    assert {newest.examples[i].time for i in newest.streams["test"]} == {"2024-01-09", "2024-01-10"}

    other = text.replace("weight", "kg").replace("group", "patient")
    assert manifest(pets, other).examples[13].weight == 1.0
    named = manifest(pets, other, weight_column="kg", group_column="patient")
    assert (named.examples[13].weight, named.examples[13].group) == (3.0, "1")
    with pytest.raises(DataError, match="no column 'patient_id'") as caught:
        manifest(pets, other, group_column="patient_id")
    assert caught.value.remedy == "nearest: patient"


@pytest.mark.parametrize("weight", ["-1", "heavy", "nan", "inf"])
def test_a_weight_that_is_none_is_told_by_its_line(pets: Path, weight: str) -> None:
    text = f"file_name,label,weight\ncats/000.png,cat,\ndogs/000.png,dog,{weight}\n"
    with pytest.raises(DataError, match=f"line 3: weight '{weight}' is no number of at least 0"):
        manifest(pets, text)


def test_pets_that_torchvision_opens_itself_have_the_same_bound(tmp_path: Path) -> None:
    root = tmp_path / "oxford-iiit-pet"
    (root / "images").mkdir(parents=True)
    (root / "annotations").mkdir()
    for stream, numbers in (("trainval", range(6)), ("test", range(6, 8))):
        lines = [f"{c}_{n} {k} 1 1" for k, c in ((1, "Birman"), (2, "Bombay")) for n in numbers]
        (root / "annotations" / f"{stream}.txt").write_text("\n".join(lines))
        for line in lines:
            Image.new("RGB", (8, 8)).save(root / "images" / f"{line.split()[0]}.jpg")
    for bound, message in ((64, None), (63, "8 x 8 pixels are more than 63")):
        options = {"kind": "torchvision", "name": "OxfordIIITPet", "path": str(tmp_path), "max_pixels": bound}
        splits = open_torchvision(Torchvision.model_validate(options), seed=0)
        if message is None:
            assert splits.load(0).size == (8, 8)
            continue
        with pytest.raises(DataError, match=message):
            splits.load(0)
