"""Real files in the layouts that torchvision reads, made by the test; the network is off."""

from __future__ import annotations

import json
import socket
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from ftcli.components.data.torchvision import OFFICIAL, Torchvision, open_splits
from ftcli.errors import DataError
from ftcli.plans.data_splits import DataSplits
from tests.hostile.corpus import page, stored


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("asked the network"))


def opened(name: str, path: Path, **options: Any) -> DataSplits:
    return open_splits(Torchvision(kind="torchvision", name=name, path=str(path), **options), seed=0)


def write_idx(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(">BBBB", 0, 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(header + values.astype(np.uint8).tobytes())


def write_fashion_mnist(root: Path) -> None:
    """60 training and 20 test images; every pixel of one is its number."""
    for prefix, count in (("train", 60), ("t10k", 20)):
        pixels = np.arange(count)[:, None, None] * np.ones((1, 28, 28))
        write_idx(root / "FashionMNIST" / "raw" / f"{prefix}-images-idx3-ubyte", pixels)
        write_idx(root / "FashionMNIST" / "raw" / f"{prefix}-labels-idx1-ubyte", np.arange(count) % 10)


def write_image(path: Path, **how: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (5, 4), "red").save(path, **how)


def test_fashion_mnist_keeps_its_test_set(tmp_path: Path) -> None:
    write_fashion_mnist(tmp_path)
    splits = opened("FashionMNIST", tmp_path)
    assert splits.classes[:2] == ("T-shirt/top", "Trouser")
    assert {stream: len(i) for stream, i in splits.streams.items()} == {"train": 50, "val": 10, "test": 20}
    test = [splits.examples[i] for i in splits.streams["test"]]
    assert test[13].key == "FashionMNIST/test/000013"
    assert test[13].label == 3
    image = splits.load(splits.streams["test"][13])
    assert (image.mode, image.size, image.getpixel((0, 0))) == ("L", (28, 28), 13)


def test_an_official_val_is_used_and_files_are_opened_like_any(tmp_path: Path) -> None:
    for stream, numbers in (("train", range(4)), ("val", range(4, 6)), ("test", range(6, 9))):
        names = [f"{c}/{c}_{n}.jpg" for c in ("banded", "dotted") for n in numbers]
        labels = tmp_path / "dtd" / "dtd" / "labels" / f"{stream}1.txt"
        labels.parent.mkdir(parents=True, exist_ok=True)
        labels.write_text("\n".join(names))
        for name in names:
            write_image(tmp_path / "dtd" / "dtd" / "images" / name)
    splits = opened("DTD", tmp_path)
    assert splits.classes == ("banded", "dotted")
    assert splits.count_per_class("val") == {"banded": 2, "dotted": 2}
    assert splits.count_per_class("test") == {"banded": 3, "dotted": 3}

    broken = tmp_path / "dtd" / "dtd" / "images" / "dotted" / "dotted_8.jpg"
    broken.write_text("<html>")
    with pytest.raises(DataError, match="none of JPEG") as caught:
        splits.load(splits.streams["test"][-1])
    assert caught.value.where == str(broken)


def write_pets(root: Path) -> Path:
    """Eight pets of two races, by their lists; none of the images is there. Returns the folder for them."""
    pets = root / "oxford-iiit-pet"
    (pets / "images").mkdir(parents=True)
    (pets / "annotations").mkdir()
    for stream, numbers in (("trainval", range(6)), ("test", range(6, 8))):
        lines = [f"{c}_{n} {k} 1 1" for k, c in ((1, "Birman"), (2, "basset_hound")) for n in numbers]
        (pets / "annotations" / f"{stream}.txt").write_text("\n".join(lines))
    return pets / "images"


def write_signs(root: Path) -> None:
    signs = root / "gtsrb"
    for label in range(2):
        for number in range(5):
            write_image(signs / "GTSRB" / "Training" / f"{label:05d}" / f"{number}.ppm")
    write_image(signs / "GTSRB" / "Final_Test" / "Images" / "0.ppm")
    (signs / "GT-final_test.csv").write_text("Filename;ClassId\n0.ppm;1\n")


def test_labels_are_known_without_opening_an_image(tmp_path: Path) -> None:
    write_pets(tmp_path)
    splits = opened("OxfordIIITPet", tmp_path)
    assert splits.classes == ("Birman", "Basset Hound")
    assert splits.count_per_class("test") == {"Birman": 2, "Basset Hound": 2}
    with pytest.raises(DataError, match="No such file") as caught:
        splits.load(splits.streams["test"][0])
    assert "Birman_6" in str(caught.value.where)


def test_signs_have_a_format_of_their_own(tmp_path: Path) -> None:
    write_signs(tmp_path)
    splits = opened("GTSRB", tmp_path)
    assert splits.classes == ("0", "1")
    assert splits.count_per_class("test") == {"0": 0, "1": 1}
    assert splits.load(0).size == (5, 4)
    assert splits.files is None, "they are no images to ftcli predict"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(x) run\n", "none of JPEG"),
        (b'/* XPM */\nstatic char *a[] = {\n"1 1 1 1", "a c red", "a"};\n', "none of JPEG"),
        (stored(page(), "JPEG")[:-100], "truncated"),
        (stored(page().resize((201, 50)), "JPEG"), "201 x 50 pixels are more than 10,000"),
    ],
)
def test_files_that_torchvision_would_open_itself_are_opened_like_any(
    tmp_path: Path, content: bytes, message: str
) -> None:
    """Oxford pets: whatever Pillow can decode is none of it here, and a file that is cut off is told."""
    images = write_pets(tmp_path)
    (images / "Birman_6.jpg").write_bytes(content)
    Image.new("CMYK", (9, 8), (0, 255, 255, 0)).save(images / "Birman_7.jpg")
    splits = opened("OxfordIIITPet", tmp_path, max_pixels=10_000)
    first, second = splits.streams["test"][:2]
    with pytest.raises(DataError, match=message):
        splits.load(first)
    assert splits.load(second).mode == "CMYK"
    assert splits.files is not None
    assert splits.files[first] == images / "Birman_6.jpg"


def test_a_dataset_without_splits_is_divided(tmp_path: Path) -> None:
    for name in ("Forest", "River"):
        for number in range(10):
            write_image(tmp_path / "eurosat" / "2750" / name / f"{name}_{number}.jpg")
    splits = opened("EuroSAT", tmp_path)
    assert splits.count_per_class("test") == {"Forest": 2, "River": 2}


def test_food_is_read_by_its_meta_files(tmp_path: Path) -> None:
    for stream in ("train", "test"):
        meta = {name: [f"{name}/{n}" for n in range(4)] for name in ("ramen", "waffles")}
        (tmp_path / "food-101" / "meta").mkdir(parents=True, exist_ok=True)
        (tmp_path / "food-101" / "images").mkdir(exist_ok=True)
        (tmp_path / "food-101" / "meta" / f"{stream}.json").write_text(json.dumps(meta))
    assert opened("Food101", tmp_path).count_per_class("test") == {"ramen": 4, "waffles": 4}


@pytest.mark.parametrize("name", OFFICIAL)
def test_missing_data_are_told_with_the_remedy(tmp_path: Path, name: str) -> None:
    """This also checks the names of the official splits: torchvision tells a wrong one with other words."""
    with pytest.raises(
        DataError, match=f"cannot open {name}: .*([Nn]ot found|No such file|[Cc]ouldn't find)"
    ) as caught:
        opened(name, tmp_path)
    assert "data.download to true" in str(caught.value.remedy)
    assert list(tmp_path.rglob("*")) == []


def test_damaged_files_are_an_error_of_the_data(tmp_path: Path) -> None:
    write_fashion_mnist(tmp_path)
    (tmp_path / "FashionMNIST" / "raw" / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03")
    with pytest.raises(DataError, match="cannot open FashionMNIST"):
        opened("FashionMNIST", tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [("FashionMnist", "nearest: FashionMNIST"), ("cifar-10", "nearest: CIFAR10"), ("zzz", "known: CIFAR10")],
)
def test_an_unknown_name_tells_the_nearest(name: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Torchvision(kind="torchvision", name=name, path=".")
