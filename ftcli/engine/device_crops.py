"""Crops of a whole batch at once, on the device: each axis resized by a product of matrices, then rounded.

The weights are those of the filters that Pillow and torchvision resize with (antialias), and like theirs on uint8 they
are whole numbers over a power of two, and what lies between the two axes is rounded to uint8. Every sum is then a whole
number below 2**24, exact in float32 in whatever order it is added up: a crop has the same bits beside any neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ftcli.plans.preprocessing import Preprocessing

BITS = 15
"""A weight of 1 is 2**BITS at most: 255 times the sum of a bicubic row, signs left out, stays below 2**24."""
AT_ONCE = 32
"""Crops: what lies between, in float32, takes some 100 MB."""


class Crop(NamedTuple):
    """Part of an image, uint8 (3, h, w) as it is stored; to be resized, and mirrored or not."""

    image_CHW: Tensor
    mirrored: bool


class PaddedCrops(NamedTuple):
    """uint8 (B, 3, H, W), as large as the largest; their own heights and widths (B, 2); and which are mirrored (B,)."""

    images_BCHW: Tensor
    sizes_B2: Tensor
    mirrored_B: Tensor


def padded(crops: Sequence[Crop]) -> PaddedCrops:
    """What is beside the smaller ones is left to chance: it weighs nothing."""
    sizes_B2 = torch.tensor([crop.image_CHW.shape[1:] for crop in crops])
    height, width = sizes_B2.amax(0).tolist()
    images_BCHW = torch.empty(len(crops), 3, height, width, dtype=torch.uint8)
    for place_CHW, (image_CHW, _) in zip(images_BCHW, crops, strict=True):
        place_CHW[:, : image_CHW.shape[1], : image_CHW.shape[2]] = image_CHW
    return PaddedCrops(images_BCHW, sizes_B2, torch.tensor([crop.mirrored for crop in crops]))


def resized(crops: PaddedCrops, preprocessing: Preprocessing, device: str) -> Tensor:
    """uint8 (B, 3, S, S) on the device, bilinear or bicubic; asynchronous from pinned memory."""
    size, interpolation = preprocessing.image_size, preprocessing.interpolation
    parts = zip(*(tensor.split(AT_ONCE) for tensor in crops), strict=True)
    return torch.cat([_resized(PaddedCrops(*part), size, interpolation, device) for part in parts])


def _resized(crops: PaddedCrops, size: int, interpolation: str, device: str) -> Tensor:
    """Across first and then down, as Pillow does it: that decides what is rounded between."""
    images_BCHW, sizes_B2, mirrored_B = (tensor.to(device, non_blocking=True) for tensor in crops)
    heights_B, widths_B = sizes_B2.unbind(1)
    across_BSW, unit_B = _weights(widths_B, images_BCHW.shape[3], size, interpolation)
    across_BSW = torch.where(mirrored_B[:, None, None], across_BSW.flip(1), across_BSW)
    between_BCHS = _rounded(torch.einsum("bchw,bsw->bchs", images_BCHW.float(), across_BSW), unit_B)
    down_BSH, unit_B = _weights(heights_B, images_BCHW.shape[2], size, interpolation)
    return _rounded(torch.einsum("bchw,bsh->bcsw", between_BCHS, down_BSH), unit_B).to(torch.uint8)


def _rounded(sums_BCHW: Tensor, unit_B: Tensor) -> Tensor:
    """Over the unit, to the nearest of 0..255, halves up; in place."""
    return sums_BCHW.div_(unit_B[:, None, None, None]).add_(0.5).floor_().clamp_(0, 255)


def _weights(lengths_B: Tensor, longest: int, size: int, interpolation: str) -> tuple[Tensor, Tensor]:
    """What each pixel of an axis counts in each of the resized one: whole (B, size, longest), over a unit (B,)."""
    places_L, targets_S = (
        torch.arange(count, device=lengths_B.device, dtype=torch.float64) + 0.5 for count in (longest, size)
    )
    scale_B11 = lengths_B.double()[:, None, None] / size
    distance_BSL = (places_L - targets_S[:, None] * scale_B11) / scale_B11.clamp(min=1)
    weights_BSL = FILTERS[interpolation](distance_BSL.abs_()) * (places_L < lengths_B[:, None, None])
    weights_BSL /= weights_BSL.sum(2, keepdim=True)
    # As torch chooses it, so that weights are of 16 bits with their sign; a power of 2.
    unit_B = (((2**15 - 0.5) / weights_BSL.amax((1, 2))).log2().ceil() - 1).clamp(max=BITS).exp2().round()
    whole_BSL = weights_BSL.mul_(unit_B[:, None, None])
    return (whole_BSL.abs() + 0.5).floor_().copysign_(whole_BSL).float(), unit_B.float()


def _triangle(x: Tensor) -> Tensor:
    """Of a distance; 0 from 1 on."""
    return (1 - x).clamp_(min=0)


def _cubic(x: Tensor) -> Tensor:
    """Keys (1981) with a = -0.5; 0 from 2 on."""
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((x - 5) * x + 8) * x * -0.5 + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, 0.0))


FILTERS = {"bilinear": _triangle, "bicubic": _cubic}
