"""Folders of real images, a folder a class: scikit-learn's digits, Fashion-MNIST; labels spoiled on demand."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tests.toys import digit_images


@dataclass(frozen=True)
class Images:
    """`first` to `first + per_class` of each of `classes`; a share of the labels is drawn anew."""

    source: str = "digits"
    classes: int = 10
    per_class: int = 40
    first: int = 0
    wrong: float = 0.0


def write(images: Images, folder: Path, seed: int, fashion: Path | None) -> Path:
    """As PNG files, in a folder that is new for each of these values. Returns it."""
    target = folder / "-".join(str(value) for value in (*vars(images).values(), seed if images.wrong else ""))
    if target.exists():
        return target
    pixels, labels = pictures(images.source, fashion)
    draw = np.random.default_rng(seed)
    for label in range(images.classes):
        (target / f"class {label}").mkdir(parents=True)
    for label in range(images.classes):
        chosen = np.flatnonzero(labels == label)[images.first : images.first + images.per_class]
        for index in chosen:
            said = draw.integers(images.classes) if draw.random() < images.wrong else label
            Image.fromarray(pixels[index]).save(target / f"class {said}" / f"{index:05}.png")
    return target


def pictures(source: str, fashion: Path | None) -> tuple[np.ndarray, np.ndarray]:
    if source == "digits":
        return digit_images()
    assert fashion is not None, "Fashion-MNIST needs its folder"
    with gzip.open(fashion / "t10k-images-idx3-ubyte.gz") as packed:
        pixels = np.frombuffer(packed.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(fashion / "t10k-labels-idx1-ubyte.gz") as packed:
        return pixels, np.frombuffer(packed.read(), np.uint8, offset=8)
