"""Whatever decides the numbers is in their key."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
import torch

from ftcli.engine.cache import home, keys
from ftcli.errors import UsageError
from ftcli.plans.preprocessing import IMAGENET

OTHER = {
    "image_size": 192,
    "resize_size": 224,
    "interpolation": "bicubic",
    "mean": (0.5, 0.5, 0.5),
    "std": (0.5, 0.5, 0.5),
    "antialias": False,
    "fit": "pad",
    "bgr": True,
}
MADE_WITH = {"torch": "2.15", "torchvision": "0.30", "pillow": "13.0", "ftcli": "0.1.0"}
FEATURES: dict[str, Any] = {
    "examples": "e",
    "preparation": "p",
    "prefix": "w",
    "precision": "fp32",
    "batch_size": 32,
    "at_once": None,
    "device": "cpu AVX512 2 threads",
    "seed": 0,
    "view": 0,
    "augment": {"kind": "light", "flip": True},
    "made_with": MADE_WITH,
}
CHANGED: dict[str, Any] = {
    "examples": "f",
    "preparation": "q",
    "prefix": "v",
    "precision": "bf16",
    "batch_size": 31,
    "at_once": 16,
    "device": "cpu AVX2 2 threads",
    "seed": 1,
    "view": 1,
    "augment": {"kind": "light", "flip": False},
    "made_with": MADE_WITH | {"torch": "2.16"},
}


def test_every_part_has_another_value_here() -> None:
    assert OTHER.keys() == {field.name for field in fields(IMAGENET)}
    assert CHANGED.keys() == FEATURES.keys()


@pytest.mark.parametrize("name", OTHER)
def test_another_preprocessing_is_another_preparation(name: str) -> None:
    changed = replace(IMAGENET, **{name: OTHER[name]})
    assert keys.of_preparation(changed, 64, MADE_WITH) != keys.of_preparation(IMAGENET, 64, MADE_WITH)


@pytest.mark.parametrize("library", MADE_WITH)
def test_another_version_is_another_preparation(library: str) -> None:
    newer = MADE_WITH | {library: "99"}
    assert keys.of_preparation(IMAGENET, 64, newer) != keys.of_preparation(IMAGENET, 64, MADE_WITH)


def test_another_bound_on_pixels_is_another_preparation() -> None:
    assert keys.of_preparation(IMAGENET, 63, MADE_WITH) != keys.of_preparation(IMAGENET, 64, MADE_WITH)


@pytest.mark.parametrize("name", CHANGED)
def test_anything_else_makes_other_features(name: str) -> None:
    assert keys.of_features(**FEATURES) == keys.of_features(**FEATURES)
    assert keys.of_features(**FEATURES | {name: CHANGED[name]}) != keys.of_features(**FEATURES)


def test_no_augmentation_is_one_of_its_own() -> None:
    assert keys.of_features(**FEATURES | {"augment": None}) != keys.of_features(**FEATURES)


def test_the_order_of_examples_counts_where_there_is_one() -> None:
    one, two = bytes(32), bytes(31) + b"1"
    assert (
        keys.of_images("p", [one, two]) == keys.of_images("p", [two, one]) != keys.of_images("q", [one, two])
    )
    assert keys.of_images("p", [one]) != keys.of_images("p", [one, two])
    assert keys.of_examples([one, two]) != keys.of_examples([two, one])


def test_images_without_files_are_known_by_their_pixels() -> None:
    image = torch.zeros(3, 4, 6, dtype=torch.uint8)
    changed = image.clone()
    changed[2, 3, 5] = 1
    found = {keys.of_pixels(i) for i in (image, image.clone(), changed, image.view(3, 6, 4))}
    assert len(found) == 3


def test_versions_are_named() -> None:
    assert {"torch", "torchvision", "pillow", "numpy", "ftcli", "jpg", "webp"} <= set(keys.versions())
    assert keys.device_name("cpu").startswith("cpu ")


def test_the_bound_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for said, meant in (("", 5), ("0", 0), ("1.5", 3 * 2**29)):
        monkeypatch.setenv("FTCLI_CACHE_GB", said)
        assert home.allowed_bytes(5) == meant
    for said in ("much", "-1", "nan", "inf"):
        monkeypatch.setenv("FTCLI_CACHE_GB", said)
        with pytest.raises(UsageError, match="no number of gigabytes"):
            home.allowed_bytes()
