"""What an epoch makes of a training image: a function of (seed, epoch, example, turn), the same in every process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from ftcli.components import augment
from ftcli.engine.device_crops import Crop
from ftcli.engine.images import center_crop
from ftcli.engine.seed import derive, seeded
from ftcli.engine.stopwatch import span
from ftcli.plans.preprocessing import Preprocessing
from ftcli.plans.training_plan import Crops

Pick = tuple[int, int]
"""An example's index, and how often the epoch has taken it before."""
Mirrored = Literal["never", "always", "by_coin"]
PLAIN, MIRRORED = 0, 1
"""The two views of `augment: flip`."""


@dataclass(frozen=True)
class Variation:
    """`transform` None: the centred crop, which is `mirrored`. With one, that is left out of account."""

    image_size: int
    seed: int
    epoch: int
    transform: Any = None
    mirrored: Mirrored = "never"

    def of(self, image: Tensor, pick: Pick) -> Tensor | Crop:
        """uint8 (3, H, W) -> uint8 (3, S, S), or what will be resized to it together with its batch."""
        index, turn = pick
        if self.transform is not None:
            with (
                span("augment", 1),
                seeded(self.seed, "augment", self.epoch, index, *([turn] if turn else [])),
            ):
                varied: Tensor | Crop = self.transform(image)
                return varied
        crop = center_crop(image, self.image_size)
        is_mirrored = self.mirrored == "always" or (
            self.mirrored == "by_coin" and coin(self.seed, self.epoch, pick)
        )
        return crop.flip(-1) if is_mirrored else crop


def _drawn(transforms: Sequence[Any], image_CHW: Tensor) -> Crop:
    """What torchvision's crop, and flip, would make of an image: drawn as they draw it, and left to be made."""
    crop, *flip = transforms
    part = F.crop(image_CHW, **crop.make_params([image_CHW]))
    return Crop(part, bool(flip) and torch.rand(1).item() < flip[0].p)


def variation_of(
    options: Any,
    preprocessing: Preprocessing,
    seed: int,
    epoch: int,
    view: int | None = None,
    crops: Crops = "image",
) -> Variation:
    """That of an epoch; with `view`, that of one which stands for it: for a flip PLAIN or MIRRORED.

    `crops` batch: crops are drawn alone, where an image is cropped and nothing else.
    """
    size = preprocessing.image_size
    if augment.shows_the_same(options):
        return Variation(size, seed, epoch)
    if options.kind == "flip":
        mirrored: dict[int | None, Mirrored] = {None: "by_coin", PLAIN: "never", MIRRORED: "always"}
        return Variation(size, seed, epoch, mirrored=mirrored[view])
    from torchvision.transforms import v2

    transforms = augment.transforms(options, preprocessing)
    in_batches = crops == "batch" and augment.only_crops(options)
    transform = partial(_drawn, transforms) if in_batches else v2.Compose(transforms)
    return Variation(size, seed, epoch if view is None else view, transform)


def coin(seed: int, epoch: int, pick: Pick) -> int:
    """MIRRORED for half of the examples, others in each epoch, PLAIN for the rest."""
    return derive(seed, "flip", epoch, *pick) & 1


def coins(seed: int, epoch: int, indices: Iterable[int]) -> Tensor:
    """Of every example that an epoch takes, in its order: (N,)."""
    return torch.tensor([coin(seed, epoch, pick) for pick in picks_of(indices)])


def picks_of(indices: Iterable[int]) -> list[Pick]:
    """Each index with the number of times it came before."""
    seen: Counter[int] = Counter()
    picks = []
    for index in indices:
        picks.append((index, seen[index]))
        seen[index] += 1
    return picks
