from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from ftcli.components.data.folder import Folder, open_splits
from ftcli.errors import DataError
from ftcli.plans.data_splits import DataSplits

MakeImages = Callable[..., None]


def opened(path: Path, seed: int = 0) -> DataSplits:
    return open_splits(Folder(kind="folder", path=str(path)), seed)


def keys(splits: DataSplits, stream: str) -> list[str]:
    return [splits.examples[i].key for i in splits.streams[stream]]


def test_class_folders(pets: Path) -> None:
    splits = opened(pets)
    assert splits.source == str(pets)
    assert splits.classes == ("cats", "dogs")
    assert [e.key for e in splits.examples] == sorted(e.key for e in splits.examples)
    assert [e.label for e in splits.examples] == [0] * 10 + [1] * 20
    assert splits.examples[3].key == "cats/003.png"
    assert splits.load(3).getpixel((0, 0)) == 3


def test_what_is_no_image_is_ignored(pets: Path) -> None:
    for name in ("notes.txt", ".hidden.png", "._000.png", "Thumbs.db"):
        (pets / "cats" / name).write_text("x")
    shutil.copytree(pets / "cats", pets / ".git")
    shutil.copytree(pets / "cats", pets / "__MACOSX")
    assert len(opened(pets).examples) == 30
    assert opened(pets).classes == ("cats", "dogs")


def test_names_with_blanks_accents_and_upper_case_suffixes(pets: Path) -> None:
    nested = pets / "cats" / "sub folder" / "été"
    nested.mkdir(parents=True)
    Image.new("RGB", (2, 2)).save(nested / "Ein Bild.JPG", format="JPEG")
    assert "cats/sub folder/été/Ein Bild.JPG" in [e.key for e in opened(pets).examples]


def test_composed_and_decomposed_accents_are_the_same_class(tmp_path: Path, make_images: MakeImages) -> None:
    for name in ("train/caf\u00e9", "train/thé", "test/cafe\u0301", "test/thé"):
        make_images(tmp_path / name, 4)
    splits = opened(tmp_path)
    assert splits.classes == ("caf\u00e9", "thé")
    assert splits.count_per_class("test") == {"caf\u00e9": 4, "thé": 4}
    assert splits.load(splits.streams["test"][0]).size == (4, 4)


def test_the_order_is_not_the_file_systems(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = opened(pets)
    listing = os.scandir

    class Backwards:
        def __init__(self, path: str) -> None:
            with listing(path) as entries:
                self.entries = sorted(entries, key=lambda entry: entry.name, reverse=True)

        def __enter__(self) -> Backwards:
            return self

        def __exit__(self, *_: object) -> None: ...

        def __iter__(self) -> Backwards:
            return self

        def __next__(self) -> os.DirEntry[str]:
            if not self.entries:
                raise StopIteration
            return self.entries.pop(0)

        def close(self) -> None: ...

    monkeypatch.setattr(os, "scandir", Backwards)
    after = opened(pets)
    assert after.examples == before.examples
    assert after.streams == before.streams


def test_links_are_followed_but_not_in_circles(pets: Path, tmp_path: Path, make_images: MakeImages) -> None:
    make_images(tmp_path / "elsewhere", 4)
    (pets / "birds").symlink_to(tmp_path / "elsewhere")
    (pets / "dogs" / "more").symlink_to(tmp_path / "elsewhere")
    (pets / "dogs" / "more" / "again").symlink_to(tmp_path / "elsewhere")
    (pets / "cats" / "up").symlink_to(pets)
    (pets / "cats" / "me").symlink_to(pets / "cats" / "me")
    (pets / "dogs" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    splits = opened(pets)
    assert Counter(splits.classes[e.label] for e in splits.examples) == {"birds": 4, "cats": 10, "dogs": 24}
    assert "dogs/more/000.png" in [e.key for e in splits.examples]


@pytest.mark.parametrize("val", ["val", "valid", "Validation"])
def test_train_val_and_test_folders(tmp_path: Path, make_images: MakeImages, val: str) -> None:
    for stream, count in (("train", 5), (val, 2), ("test", 3)):
        make_images(tmp_path / stream / "a", count)
        make_images(tmp_path / stream / "b", count)
    splits = opened(tmp_path)
    assert list(splits.streams) == ["train", "val", "test"]
    assert splits.count_per_class("train") == {"a": 5, "b": 5}
    assert keys(splits, "val") == [
        f"{val}/a/000.png",
        f"{val}/a/001.png",
        f"{val}/b/000.png",
        f"{val}/b/001.png",
    ]
    assert splits.count_per_class("test") == {"a": 3, "b": 3}


def test_a_missing_val_comes_out_of_train(tmp_path: Path, make_images: MakeImages) -> None:
    for name in ("train/a", "train/b", "test/a"):
        make_images(tmp_path / name, 20)
    splits = opened(tmp_path)
    assert splits.count_per_class("train") == {"a": 17, "b": 17}
    assert splits.count_per_class("val") == {"a": 3, "b": 3}
    assert splits.count_per_class("test") == {"a": 20, "b": 0}, "a class may be missing from test"
    assert all(key.startswith("train/") for key in keys(splits, "val"))


def test_a_class_that_train_lacks_is_named(tmp_path: Path, make_images: MakeImages) -> None:
    for name in ("train/a", "train/b", "test/a", "test/zebra"):
        make_images(tmp_path / name, 5)
    with pytest.raises(DataError, match="no training images of 'zebra'"):
        opened(tmp_path)


def test_a_class_may_be_called_train(tmp_path: Path, make_images: MakeImages) -> None:
    for name in ("bus", "car", "train"):
        make_images(tmp_path / name, 5)
    assert opened(tmp_path).classes == ("bus", "car", "train")


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (("train/a", "train/b", "extra"), r"splits \(train\) beside extra"),
        (("train/a", "val/a", "valid/a"), "two folders for one split: train, val, valid"),
        (("test/a", "test/b"), "no train folder beside test"),
        (("train", "test"), "5 images, but none in a class folder"),
        (("a",), "1 class is not enough to tell apart: 'a'"),
    ],
)
def test_layouts_that_are_neither(
    tmp_path: Path, make_images: MakeImages, folders: tuple[str, ...], message: str
) -> None:
    for name in folders:
        make_images(tmp_path / name, 5)
    with pytest.raises(DataError, match=message) as caught:
        opened(tmp_path)
    assert str(tmp_path) in str(caught.value.where)
    assert caught.value.remedy


def test_an_empty_class_folder_is_named(pets: Path) -> None:
    (pets / "birds").mkdir()
    (pets / "birds" / "readme.md").write_text("soon")
    with pytest.raises(DataError, match="no training images of 'birds'") as caught:
        opened(pets)
    assert "remove the class" in str(caught.value.remedy)


def test_when_nothing_is_found_the_rest_is_counted(tmp_path: Path) -> None:
    (tmp_path / "a" / "deep").mkdir(parents=True)
    for name in ("a/x.txt", "a/y.TXT", "a/deep/z.heic", "w"):
        (tmp_path / name).write_text("x")
    with pytest.raises(DataError, match=r"^no images; 4 other files: \.heic, \.txt, no suffix$"):
        opened(tmp_path)


def test_what_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        opened(tmp_path / "gone")
    for name, remedy in (("list.csv", "kind: csv"), ("all.zip", "unpack")):
        (tmp_path / name).write_text("x")
        with pytest.raises(DataError, match="a file, not a folder") as caught:
            opened(tmp_path / name)
        assert remedy in str(caught.value.remedy)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"^no images$"):
        opened(tmp_path / "empty")


def test_paths_are_relative_to_the_current_directory(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pets.parent)
    assert opened(Path("pets")).source == "pets"
