"""The LR factor over a span of training: a pure function of the position, so there is no scheduler state to lose."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Shape = Literal["constant", "linear", "cosine", "step", "one_cycle"]
SHAPES: tuple[Shape, ...] = ("constant", "linear", "cosine", "step", "one_cycle")


@dataclass(frozen=True)
class LrCurve:
    """Linear warm-up from `warmup_factor` to 1, joined to a body that ends at `final_factor`.

    Positions count in epochs (fractions allowed) from the start of the span; `epochs` is its length.
    `per_epoch` holds the factor constant within an epoch, as torch's per-epoch schedulers do.
    """

    shape: Shape
    epochs: float
    warmup: float = 0.0
    warmup_factor: float = 0.1
    final_factor: float = 0.0
    milestones: tuple[float, ...] = ()
    gamma: float = 0.1
    peak_at: float = 0.3
    initial_factor: float = 0.04
    """one_cycle: the factor at its start; `peak_at` is the share of the span at which it reaches 1."""
    per_epoch: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < self.epochs:
            raise ValueError(f"a warm-up of {self.warmup:g} epochs does not fit into {self.epochs:g}")

    def factor(self, position: float) -> float:
        """The factor on each group's peak LR at `position` epochs into the span."""
        at = math.floor(position + 1e-9) if self.per_epoch else position
        at = min(max(at, 0.0), self.epochs)
        if at < self.warmup:
            return self.warmup_factor + (1.0 - self.warmup_factor) * at / self.warmup
        return self._body(at)

    def _body(self, at: float) -> float:
        progress = (at - self.warmup) / (self.epochs - self.warmup)
        if self.shape == "constant":
            return 1.0
        if self.shape == "step":
            return self.gamma ** sum(at >= milestone for milestone in self.milestones)
        if self.shape == "linear":
            return 1.0 + (self.final_factor - 1.0) * progress
        if self.shape == "cosine":
            return _cosine(1.0, self.final_factor, progress)
        if progress < self.peak_at:
            return _cosine(self.initial_factor, 1.0, progress / self.peak_at)
        return _cosine(1.0, self.final_factor, (progress - self.peak_at) / (1.0 - self.peak_at))


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1.0 + math.cos(math.pi * progress)) / 2.0
