"""How training images are varied; deterministic per (seed, epoch, example), mixing per (seed, epoch, batch)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from ftcli.plans.preprocessing import Preprocessing
from ftcli.registry import Choice

if TYPE_CHECKING:
    from torchvision.transforms.v2 import Transform


class Off(Choice):
    """Training images are prepared like validation images. A frozen backbone then sees each image once."""

    kind: Literal["none"]


class Flip(Choice):
    """Half of the images, others in each epoch, mirrored left to right, and prepared like validation images. An image
    then has two variants: a frozen backbone sees each of them once."""

    kind: Literal["flip"]


class Features(Choice):
    """Images are prepared like validation images, and what a frozen backbone makes of them is varied, as if it were an
    image of many channels (FroFA: Bär et al. 2024), in phases that keep it. Meant for few images and heads on frozen
    features; on pooled features of EfficientNet-Lite0 no gain was measured (tests/benchmarks/feature_augment.py)."""

    kind: Literal["features"]
    op: Literal["brightness", "contrast", "posterize"] = "brightness"
    """brightness: shifted. contrast: spread or drawn together. posterize: in steps of fewer bits."""
    per_channel: bool = True
    """Every channel by itself, in its own range; else all alike."""
    strength: float = Field(default=0.1, gt=0, le=1)
    """At most so much of the range, up or down; of posterize the share of the eight bits but one that may be lost."""


class _Varied(Choice):
    """What every augmentation has."""

    flip: bool = True
    """Mirror half of the images left to right. Turn off where left and right differ: digits, text, X-rays."""
    mix: Literal["none", "mixup", "cutmix"] = "none"
    """mixup: each image blended with another of its batch (Zhang et al. 2018). cutmix: a rectangle of another pasted
    in (Yun et al. 2019). The label is shared out likewise."""
    mix_alpha: float | None = Field(default=None, gt=0)
    """Shares are drawn from Beta(alpha, alpha): below 1 most are near 0 or 1. Default 0.2 for mixup, 1 for cutmix."""

    @model_validator(mode="after")
    def _alpha_is_used(self) -> _Varied:
        if self.mix_alpha is not None and self.mix == "none":
            raise ValueError("mix_alpha needs mix: mixup or cutmix")
        return self

    @property
    def alpha(self) -> float:
        return self.mix_alpha or {"none": 0.0, "mixup": 0.2, "cutmix": 1.0}[self.mix]


class Varied(_Varied):
    """light: crop of 70-100% of the area, flip. standard: crop of 35-100%, flip, colour jitter."""

    kind: Literal["light", "standard"]


class Strong(_Varied):
    """Crop of 8-100% of the area, flip, a policy of random changes, random erasing."""

    kind: Literal["strong"]
    policy: Literal["trivial_augment", "rand_augment"] = "trivial_augment"
    """trivial_augment: one change of any strength (Müller & Hutter 2021). rand_augment: two of strength 9 of 30
    (Cubuk et al. 2020)."""


Augment = Off | Flip | Features | Varied | Strong

_LEAST_CROP = {"light": 0.7, "standard": 0.35, "strong": 0.08}
_JITTER, _ERASED = 0.2, 0.25


def transforms(options: Augment, preprocessing: Preprocessing) -> list[Transform]:
    """Named torchvision v2 transforms from a uint8 image (3, H, W) to (3, image_size, image_size), uint8."""
    from torchvision.transforms import v2

    mode = v2.InterpolationMode(preprocessing.interpolation)
    size = preprocessing.image_size
    if not isinstance(options, _Varied):
        return [v2.CenterCrop(size), *([v2.RandomHorizontalFlip()] if isinstance(options, Flip) else [])]
    scale = (_LEAST_CROP[options.kind], 1.0)
    chosen: list[Any] = [v2.RandomResizedCrop(size, scale, interpolation=mode, antialias=True)]
    if options.flip:
        chosen.append(v2.RandomHorizontalFlip())
    if options.kind == "standard":
        chosen.append(v2.ColorJitter(brightness=_JITTER, contrast=_JITTER, saturation=_JITTER))
    if isinstance(options, Strong):
        policies = {"trivial_augment": v2.TrivialAugmentWide, "rand_augment": v2.RandAugment}
        chosen += [policies[options.policy](), v2.RandomErasing(p=_ERASED)]
    return chosen


def mixing(options: Augment, num_classes: int) -> Transform | None:
    """From a batch of images (B, 3, S, S) and labels (B,) to images and shares of the classes (B, C), if asked for."""
    from torchvision.transforms import v2

    if not mixes(options) or not isinstance(options, _Varied):
        return None
    kinds = {"mixup": v2.MixUp, "cutmix": v2.CutMix}
    made: Transform = kinds[options.mix](alpha=options.alpha, num_classes=num_classes)
    return made


def shows_the_same(options: Augment) -> bool:
    """Whether every epoch sees the same images."""
    return isinstance(options, Off | Features)


def only_crops(options: Augment) -> bool:
    """Whether an image is cropped, and mirrored or not, and nothing else by itself."""
    return isinstance(options, _Varied) and options.kind == "light"


def mixes(options: Augment) -> bool:
    return isinstance(options, _Varied) and options.mix != "none"


def described(options: Augment, preprocessing: Preprocessing) -> tuple[str, ...]:
    """The transforms by their torchvision names, with what makes them what they are; without torch."""
    size = preprocessing.image_size
    if not isinstance(options, _Varied):
        return (f"CenterCrop({size})", *_told_of_few(options))
    told = [f"RandomResizedCrop({size}, {_LEAST_CROP[options.kind]:g}-1)"]
    if options.flip:
        told.append("RandomHorizontalFlip")
    if options.kind == "standard":
        told.append(f"ColorJitter({_JITTER:g})")
    if isinstance(options, Strong):
        named = {"trivial_augment": "TrivialAugmentWide", "rand_augment": "RandAugment(2, 9)"}
        told += [named[options.policy], f"RandomErasing({_ERASED:g})"]
    if mixes(options):
        told.append(f"{ {'mixup': 'MixUp', 'cutmix': 'CutMix'}[options.mix] }({options.alpha:g})")
    return tuple(told)


def _told_of_few(options: Off | Flip | Features) -> list[str]:
    if isinstance(options, Features):
        alone = ", per channel" if options.per_channel else ""
        return [f"Feature{options.op.capitalize()}({options.strength:g}{alone})"]
    return ["RandomHorizontalFlip"] if isinstance(options, Flip) else []
