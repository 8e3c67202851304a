"""What an epoch makes of features: frozen feature augmentation (FroFA: Bär et al., CVPR 2024), by seed and example.

Features are brought to the range from 0 to 1, changed there as an image would be, and brought back. The ranges are
those of the training images: with a range of its own, over the places of its patches, a pooled feature would have none,
for it has one place. Written from descriptions of the method; the paper's own text was not at hand to compare with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ftcli.engine.seed import derive
from ftcli.engine.variation import Pick

BITS = 8
"""Of an image's channel: what posterize leaves some of."""


@dataclass(frozen=True)
class Ranges:
    """Least, greatest and mean value of each channel, or of all alike, over the training images; fp32 (1, ...)."""

    low: Tensor
    high: Tensor
    mean: Tensor

    @property
    def width(self) -> Tensor:
        return self.high - self.low

    def scaled(self, values: Tensor) -> Tensor:
        """From 0 to 1; 0 where all are equal."""
        return (values - self.low) / torch.where(self.width > 0, self.width, torch.ones_like(self.width))


def channel_of(shape: Sequence[int]) -> int:
    """Which dimension of activations (B, ...) holds the channels.

    Of features (B, C) and tokens (B, N, C) the last, of maps (B, C, S, S) the second. Some networks hold their maps as
    (B, S, S, C), which shows in the sides of a square image's map.
    """
    if len(shape) != 4:
        return len(shape) - 1
    return 3 if shape[1] == shape[2] != shape[3] else 1


def ranges_of(parts: Iterable[Tensor], *, per_channel: bool) -> Ranges:
    """Of activations that come in parts (B, ...). One part at least, and all of them over the same images."""
    lows, highs, totals, count = list[Tensor](), list[Tensor](), list[Tensor](), 0
    for part in parts:
        values = part.float()
        alike = _others(values.shape) if per_channel else tuple(range(values.ndim))
        lows.append(values.amin(alike, keepdim=True))
        highs.append(values.amax(alike, keepdim=True))
        totals.append(values.double().sum(alike, keepdim=True))
        count += values.numel() // lows[0].numel()
    mean = torch.cat(totals).sum(0, keepdim=True) / count
    return Ranges(torch.cat(lows).amin(0, keepdim=True), torch.cat(highs).amax(0, keepdim=True), mean.float())


def varied(
    rows: Tensor, ranges: Ranges, options: Any, seed: int, epoch: int, picks: Sequence[Pick]
) -> Tensor:
    """Activations (B, ...) of the examples that are picked, in the dtype that they have."""
    ranges = Ranges(*(tensor.to(rows.device) for tensor in (ranges.low, ranges.high, ranges.mean)))
    draws = _draws(rows, seed, epoch, picks, per_channel=options.per_channel)
    scaled = ranges.scaled(rows.float())
    if options.op == "brightness":
        changed = scaled + options.strength * (2 * draws - 1)
    elif options.op == "contrast":
        middle = ranges.scaled(ranges.mean)
        changed = middle + (scaled - middle) * (1 + options.strength * (2 * draws - 1))
    else:
        changed = _posterized(scaled, options.strength, draws)
    back: Tensor = (changed.clamp(0, 1) * ranges.width + ranges.low).to(rows.dtype)
    return back


def _posterized(scaled: Tensor, strength: float, draws: Tensor) -> Tensor:
    """In the steps of so many bits, from all BITS of them down to 1 at a strength of 1."""
    fewer = round(strength * (BITS - 1))
    steps = 2 ** (BITS - torch.floor(draws * (fewer + 1)))
    return (scaled * steps).floor().clamp(max=steps - 1) / (steps - 1)


def _draws(rows: Tensor, seed: int, epoch: int, picks: Sequence[Pick], *, per_channel: bool) -> Tensor:
    """Uniform from 0 to 1, for each example one or one for each channel, in a shape that fits the rows."""
    channel = channel_of(rows.shape)
    count = rows.shape[channel] if per_channel else 1
    drawn, generator = torch.empty(len(picks), count), torch.Generator()
    for row, pick in zip(drawn, picks, strict=True):
        torch.rand(count, generator=generator.manual_seed(derive(seed, "features", epoch, *pick)), out=row)
    shape = [len(picks), *([1] * (rows.ndim - 1))]
    shape[channel] = count
    return drawn.reshape(shape).to(rows.device)


def _others(shape: Sequence[int]) -> tuple[int, ...]:
    """All dimensions but that of the channels."""
    return tuple(dim for dim in range(len(shape)) if dim != channel_of(shape))
