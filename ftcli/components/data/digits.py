"""scikit-learn's handwritten digits: 1,797 images of 8x8 pixels in ten classes, on every machine."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ftcli.plans.data_splits import TRAIN, DataSplits, Example

from ._common import DataOptions, complete

if TYPE_CHECKING:
    from PIL.Image import Image


_FILE = ("datasets", "data", "digits.csv.gz")
"""In scikit-learn's package: a row for each image, its 64 values from 0 to 16 and the digit."""


class Digits(DataOptions):
    """1,797 handwritten digits, 8x8 pixels, shipped with scikit-learn."""

    kind: Literal["digits"]


def open_splits(options: Digits, seed: int) -> DataSplits:
    pixels, labels = _digits()
    splits = DataSplits(
        source="scikit-learn digits",
        classes=tuple("0123456789"),
        examples=tuple(Example(f"digits/{i:04d}", label) for i, label in enumerate(labels)),
        streams={TRAIN: tuple(range(len(labels)))},
        load=partial(_image, pixels),
    )
    return complete(splits, options.split, seed, options.kind)


def _digits() -> tuple[Any, list[int]]:
    """Pixels (1797, 8, 8), uint8, and what they show; from the file alone: importing scikit-learn takes a second."""
    import gzip

    import numpy as np

    package = find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        raise ImportError("No module named 'sklearn'", name="sklearn")
    with gzip.open(Path(package.submodule_search_locations[0], *_FILE)) as file:
        table = np.loadtxt(file, delimiter=",")
    pixels = np.rint(table[:, :-1] * 255 / 16).astype(np.uint8)
    return pixels.reshape(-1, 8, 8), table[:, -1].astype(int).tolist()


def _image(pixels: Any, index: int) -> Image:
    """One of pixels (1797, 8, 8), uint8, as a gray image."""
    from PIL import Image

    return Image.fromarray(pixels[index])
