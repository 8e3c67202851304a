"""How training images are varied; deterministic per (seed, epoch, example)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from ftcli.plans.preprocessing import Preprocessing
from ftcli.registry import Choice

if TYPE_CHECKING:
    from torchvision.transforms.v2 import Transform


class Off(Choice):
    """Training images are prepared like validation images. A frozen backbone then sees each image once."""

    kind: Literal["none"]


class Varied(Choice):
    """light: crop of 70-100% of the area, flip. standard: crop of 35-100%, flip, colour jitter.

    strong: crop of 8-100%, flip, TrivialAugment, random erasing.
    """

    kind: Literal["light", "standard", "strong"]
    flip: bool = True
    """Mirror half of the images left to right. Turn off where left and right differ: digits, text, X-rays."""


_LEAST_CROP = {"light": 0.7, "standard": 0.35, "strong": 0.08}


def transforms(options: Off | Varied, preprocessing: Preprocessing) -> list[Transform]:
    """Named torchvision v2 transforms from a uint8 image (3, H, W) to (3, image_size, image_size), uint8."""
    from torchvision.transforms import v2

    mode = v2.InterpolationMode(preprocessing.interpolation)
    size = preprocessing.image_size
    if isinstance(options, Off):
        return [v2.CenterCrop(size)]
    scale = (_LEAST_CROP[options.kind], 1.0)
    chosen: list[Any] = [v2.RandomResizedCrop(size, scale, interpolation=mode, antialias=True)]
    if options.flip:
        chosen.append(v2.RandomHorizontalFlip())
    if options.kind == "standard":
        chosen.append(v2.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2))
    if options.kind == "strong":
        chosen += [v2.TrivialAugmentWide(), v2.RandomErasing(p=0.25)]
    return chosen
