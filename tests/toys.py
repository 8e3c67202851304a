"""Small real things to train on: timm's test networks and a part of scikit-learn's digits."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache

from ftcli.events import Event
from ftcli.recipe.schema import Recipe

RESNET = "timm/test_resnet"
EFFICIENTNET = "timm/test_efficientnet"
VIT = "timm/test_vit"


@cache
def digit_images():  # type: ignore[no-untyped-def]
    """Images and labels of scikit-learn's digits, as 8-bit arrays."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return (digits.images * (255 / 16)).round().astype("uint8"), digits.target


def write_digits(folder, per_class: int = 20, classes: int = 4):  # type: ignore[no-untyped-def]
    """A folder of class folders with real digits as PNG files; returns the folder."""
    from PIL import Image

    images, labels = digit_images()
    for label in range(classes):
        target = folder / f"digit {label}"
        target.mkdir(parents=True)
        for number, image in enumerate(images[labels == label][:per_class]):
            Image.fromarray(image).save(target / f"{number:03}.png")
    return folder


def recipe(folder, **sections) -> Recipe:  # type: ignore[no-untyped-def]
    """A recipe for a folder of digits on a small random network; any section may be given."""
    content = {
        "name": "toy",
        "data": {"kind": "folder", "path": str(folder), "image_size": 32},
        "model": {"backbone": RESNET, "weights": "none"},
        "strategy": "full",
        "augment": "none",
        "train": {"epochs": 2, "batch_size": 8},
        "runtime": {"device": "cpu"},
        **sections,
    }
    return Recipe.model_validate_json(json.dumps(content))


def ignore(event: Event) -> None:
    """A listener that does nothing."""


def recorder() -> tuple[list[Event], Callable[[Event], None]]:
    """A list, and the listener that fills it."""
    events: list[Event] = []
    return events, events.append
