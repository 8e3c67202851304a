"""How an image becomes the network's input: the weights' own, kept with the model for good."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

Interpolation = Literal["nearest", "bilinear", "bicubic"]
Fit = Literal["crop", "squash", "pad"]


@dataclass(frozen=True)
class Preprocessing:
    """Resize to `resize_size` pixels, cut a centred square of `image_size`, scale to 0..1, normalise.

    Images are RGB (grayscale is repeated to three channels); `mean` and `std` are per channel, in the order in
    which the network takes them.
    """

    image_size: int
    resize_size: int
    interpolation: Interpolation
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    antialias: bool = True
    fit: Fit = "crop"
    """What is resized: `crop` the shorter side; `squash` both sides, whatever their ratio; `pad` the longer side."""
    bgr: bool = False
    """The network takes blue, green, red."""

    def at_size(self, image_size: int) -> Preprocessing:
        """The same preprocessing for another input size; the share cut off at the border stays."""
        ratio = self.resize_size / self.image_size
        return replace(self, image_size=image_size, resize_size=round(image_size * ratio))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Preprocessing:
        return cls(**{**values, "mean": tuple(values["mean"]), "std": tuple(values["std"])})


IMAGENET = Preprocessing(
    image_size=224,
    resize_size=256,
    interpolation="bilinear",
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
)
