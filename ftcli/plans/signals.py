"""What an epoch shows beside its scores: how far the network has moved, and what it answers. Monitors go by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StageDrift:
    """How far a stage lies from where it began: the pretrained weights, or the random ones of a new head."""

    stage: str
    weights: float
    """|weights - first weights| / |first weights|, over all parameters of the stage."""
    statistics: float | None = None
    """The same of BatchNorm's running means and variances; None of a stage without."""
    features: float | None = None
    """1 - linear CKA (Kornblith et al. 2019, the unbiased estimate) between what the stage made of some validation
    images at first and what it makes of them now: 0 is the same but for rotation and scale, 1 unrelated. None where
    it was not measured."""


@dataclass(frozen=True)
class Signals:
    """`drift` has a stage each, from the first that the plan moves to the head; the rest is of the validation."""

    drift: tuple[StageDrift, ...]
    loss_error: float
    """Standard error of the validation loss, as a mean over that many examples."""
    logit_spread: float
    """Share of the logits' squared norm that differs between examples: 0 where the network answers all alike."""
    top_class: int | None = None
    """The class predicted most often; None of multi-label data."""
    top_share: float | None = None
    """Of so many of the examples."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Signals:
        return cls(**{**values, "drift": tuple(StageDrift(**stage) for stage in values["drift"])})

    def moved(self, stage: str) -> StageDrift | None:
        return next((drift for drift in self.drift if drift.stage == stage), None)
