"""scikit-learn's handwritten digits: 1,797 images of 8x8 pixels in ten classes, on every machine."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from ftcli.plans.data_splits import TRAIN, DataSplits, Example

from ._common import DataOptions, complete

if TYPE_CHECKING:
    from PIL.Image import Image


class Digits(DataOptions):
    """1,797 handwritten digits, 8x8 pixels, shipped with scikit-learn."""

    kind: Literal["digits"]


def open_splits(options: Digits, seed: int) -> DataSplits:
    import numpy as np
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pixels = np.rint(bunch.images * 255 / 16).astype(np.uint8)
    splits = DataSplits(
        source="scikit-learn digits",
        classes=tuple(str(digit) for digit in bunch.target_names),
        examples=tuple(Example(f"digits/{i:04d}", int(label)) for i, label in enumerate(bunch.target)),
        streams={TRAIN: tuple(range(len(pixels)))},
        load=partial(_image, pixels),
    )
    return complete(splits, options.split, seed, options.kind)


def _image(pixels: Any, index: int) -> Image:
    """One of pixels (1797, 8, 8), uint8, as a gray image."""
    from PIL import Image

    return Image.fromarray(pixels[index])
