"""The part of a network that a phase never changes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PrefixCost:
    """Of the layers below a boundary: their share of the forward pass's FLOPs, and what crosses it for an image."""

    share: float
    bytes_per_image: int


@dataclass(frozen=True)
class FrozenPrefix:
    """The layers below `boundary`, which no step of the phase changes: of an image they make always the same."""

    boundary: int
    """The first layer that trains; 0 where nothing lies below it."""
    views: int
    """How many variants of each training image go through it once and are kept: epoch e sees those of epoch e modulo
    `views`; of images that are mirrored by a coin there are two, and each epoch takes the one of its own coin. 1 where
    images stay the same, 0 where every epoch computes it anew."""
    reason: str
    cost: PrefixCost | None = None
    """None where it was not measured."""

    @property
    def kept(self) -> bool:
        return self.views > 0
