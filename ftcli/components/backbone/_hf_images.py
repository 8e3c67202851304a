"""What transformers' image processors do to an image, as a Preprocessing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ftcli.plans.preprocessing import IMAGENET, Fit, Interpolation, Preprocessing

from ._errors import unsupported
from ._hf_library import library, quietly

_RESAMPLE: dict[int, Interpolation] = {0: "nearest", 2: "bilinear", 3: "bicubic"}
_LEVIT_MARGIN = 256 / 224
_CONVNEXT_WARPS_FROM = 384
"""Pixels from which ConvNeXt's processor crops nothing."""


def usual_images(size: Any, name: str) -> Preprocessing:
    """ImageNet's usual at the size that a config names, for a model that comes without a processor."""
    return IMAGENET if size is None else IMAGENET.at_size(_square(size, name))


def images_of(folder: Path, config_size: Any, name: str) -> Preprocessing:
    """As the folder's preprocessor_config.json says. Raises ModelError for images that are not square."""
    values = _processor(folder, name)
    kind = str(values.get("image_processor_type", ""))
    fit, resized, size = _geometry(kind, values, config_size, name)
    mean, std = _normalisation(kind, values)
    return Preprocessing(
        image_size=size,
        resize_size=resized,
        interpolation=_RESAMPLE.get(values.get("resample", 2), "bicubic"),
        mean=mean,
        std=std,
        fit=fit,
        bgr=bool(values.get("do_flip_channel_order")),
    )


def _processor(folder: Path, name: str) -> dict[str, Any]:
    """The processor's values, those that the file leaves out from its class."""
    transformers = library()
    try:
        with quietly():
            processor = transformers.AutoImageProcessor.from_pretrained(folder, trust_remote_code=False)
            values: dict[str, Any] = processor.to_dict()
    except Exception as error:  # of a foreign file: unknown classes, wrong types, missing packages
        reason = str(error).strip().partition("\n")[0]
        raise unsupported(f"hf/{name}", f"its image processor cannot be read: {reason}") from error
    return values


def _geometry(kind: str, values: dict[str, Any], config_size: Any, name: str) -> tuple[Fit, int, int]:
    """The fit, the pixels that are resized to, and the pixels that are left of them."""
    size = dict(values.get("size") or {})
    crop = values.get("crop_size") if values.get("do_center_crop") else None
    if not values.get("do_resize"):
        side = _square(crop or config_size or IMAGENET.image_size, name)
        return "crop", side, side
    if size.get("shortest_edge"):
        side = int(size["shortest_edge"])
        if kind.startswith("ConvNext"):
            return _convnext(side, values)
        left = _square(crop, name) if crop else side
        return "crop", int(side * _margin(kind, values)), left
    if not size.get("height"):
        raise unsupported(f"hf/{name}", f"its images are not resized to a square but to {size}")
    side = _square(size, name)
    if kind.startswith("PoolFormer") and values.get("crop_pct"):
        return "crop", int(side / values["crop_pct"]), _square(crop or size, name)
    return "squash", side, _square(crop, name) if crop else side


def _convnext(side: int, values: dict[str, Any]) -> tuple[Fit, int, int]:
    if side >= _CONVNEXT_WARPS_FROM:
        return "squash", side, side
    return "crop", int(side / (values.get("crop_pct") or 224 / 256)), side


def _margin(kind: str, values: dict[str, Any]) -> float:
    """How much larger than `size` some processors resize."""
    if kind.startswith("Levit"):
        return _LEVIT_MARGIN
    if kind.startswith("PoolFormer") and values.get("crop_pct"):
        return 1 / float(values["crop_pct"])
    return 1.0


def _normalisation(
    kind: str, values: dict[str, Any]
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """mean and std for images from 0 to 1, whatever range the processor brings them to first.

    EfficientNet's may shift them to -1..1, and divides by the std twice.
    """
    scale = 255 * float(values.get("rescale_factor") or 1 / 255) if values.get("do_rescale") else 255.0
    shift = -1.0 if values.get("rescale_offset") and values.get("do_rescale") else 0.0
    normalises = values.get("do_normalize") and not kind.startswith("MobileViT")
    mean = _per_channel(values.get("image_mean")) if normalises else (0.0,) * 3
    std = _per_channel(values.get("image_std")) if normalises else (1.0,) * 3
    if kind.startswith("EfficientNet") and values.get("include_top"):
        twice = _per_channel(values.get("image_std"))
        std = tuple(one * two for one, two in zip(std, twice, strict=True))
    shifted = tuple((value - shift) / scale for value in mean)
    scaled = tuple(value / scale for value in std)
    return shifted, scaled  # type: ignore[return-value]


def _per_channel(value: Any) -> tuple[float, ...]:
    return (float(value),) * 3 if isinstance(value, int | float) else tuple(float(one) for one in value)


def _square(size: Any, name: str) -> int:
    """The side of a square that is written as a number, a pair, or height and width."""
    if isinstance(size, dict):
        size = (size["height"], size["width"]) if "height" in size else (size["shortest_edge"],) * 2
    height, width = (size, size) if isinstance(size, int) else tuple(size)
    if height != width:
        raise unsupported(f"hf/{name}", f"its images are {height} by {width} pixels, not square")
    return int(height)
