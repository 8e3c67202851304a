"""Images whose distance from photographs is plain, from nothing that has to be fetched: the ends of the scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ftcli.engine.images import center_crop, prepare
from ftcli.plans.preprocessing import Preprocessing

NUM_REFERENCES = 64
"""Of each kind. Half as many move the ends of the scale by a few percent."""
_LEAST_SIDE, _MOST_SIDE = 150, 400
_BATCH = 16


def photographs(count: int = NUM_REFERENCES) -> list[Image.Image]:
    """Square crops of scikit-learn's two photographs, a temple and a flower: always the same."""
    from sklearn.datasets import load_sample_images

    chance = np.random.default_rng(0)
    whole = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    return [_crop(whole[number % 2], chance) for number in range(count)]


def noise(count: int = NUM_REFERENCES) -> list[Image.Image]:
    """Every value of every pixel drawn by itself."""
    chance = np.random.default_rng(0)
    return [Image.fromarray(chance.integers(0, 256, (224, 224, 3)).astype(np.uint8)) for _ in range(count)]


def batches_of(
    images: Sequence[Image.Image], preprocessing: Preprocessing, device: str = "cpu"
) -> Iterator[Tensor]:
    """As evaluation sees them: uint8 (B, 3, S, S)."""
    for start in range(0, len(images), _BATCH):
        cut = [
            center_crop(prepare(i, preprocessing), preprocessing.image_size) for i in images[start:][:_BATCH]
        ]
        yield torch.stack(cut).to(device)


def _crop(image: Image.Image, chance: np.random.Generator) -> Image.Image:
    side = int(chance.integers(_LEAST_SIDE, min(_MOST_SIDE, *image.size) + 1))
    left, top = (int(chance.integers(0, room - side + 1)) for room in image.size)
    return image.crop((left, top, left + side, top + side))
