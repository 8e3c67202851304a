"""What was measured of weights that ended below their linear probe."""

from __future__ import annotations

from dataclasses import dataclass

MENDS = 0.01
"""What putting the pretrained statistics back must gain, for BatchNorm to be the cause."""


@dataclass(frozen=True)
class HarmEvidence:
    """Of the last epoch's weights. `moved` is, per backbone stage, |weights - pretrained| / |pretrained|."""

    metric: str
    """What the verdict compares, and `score` is."""
    score: float
    score_with_pretrained_stats: float | None
    """The same weights with the pretrained BatchNorm statistics put back; None when they never moved."""
    moved: dict[str, float]

    @property
    def is_batch_norm(self) -> bool:
        """Putting the statistics back mends at least a point."""
        mended = self.score_with_pretrained_stats
        return mended is not None and mended >= self.score + MENDS
