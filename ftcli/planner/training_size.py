"""How long to train and in what batches, by the number of training images; and at what size, by theirs."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class TrainingSize:
    """What suits up to so many training images. `head_epochs` are those of LP-FT before everything trains."""

    up_to: float
    batch_size: int
    epochs: int
    head_epochs: int


_SIZES = (TrainingSize(1_000, 16, 15, 5), TrainingSize(10_000, 32, 10, 3), TrainingSize(inf, 64, 5, 1))


def training_size(num_train: int) -> TrainingSize:
    return next(size for size in _SIZES if num_train <= size.up_to)


def image_size(shorter_side: int) -> int | None:
    """Images below 49 pixels are enlarged about fourfold, in steps of 32; others have the weights' own size: None.

    Filters pretrained at 224 pixels see little of 28, and an image at 224 costs three times one at 128.
    """
    enlarged = max(64, -(-4 * shorter_side // 32) * 32)
    return enlarged if enlarged < 224 else None
