"""How long a phase is likely to take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Forecast:
    """Seconds as this machine would need them by one timed forward pass: an estimate, and no part of the plan."""

    phase: str
    images_per_second: float
    """Training images, validation left out."""
    epoch_seconds: float
    """With validation."""
    before_seconds: float
    """Once before the first epoch: the frozen part of every image and view, where it is kept and not yet made."""
