"""Floor and ceiling in one sentence."""

from __future__ import annotations

from math import sqrt

from ftcli.events import Scores
from ftcli.workflows.result import VerdictKind


def verdict_of(floor: Scores | None, ceiling: Scores | None, pretrained: bool) -> tuple[VerdictKind, str]:
    """Compared on validation accuracy; a difference within its own standard error is not a difference."""
    if not pretrained:
        return "scratch", "trained from scratch: no pretrained features to measure a floor or a ceiling on"
    if floor is None or ceiling is None:
        return (
            "probe_only",
            "a linear probe: this is the floor; run a fine-tuning strategy to see the ceiling",
        )
    points = 100 * (ceiling.accuracy - floor.accuracy)
    error = 100 * sqrt(_variance(floor) + _variance(ceiling))
    if abs(points) <= error:
        return "no_clear_gain", (
            f"fine-tuning is within one standard error of the linear probe ({points:+.1f} points, error {error:.1f})"
        )
    if points < 0:
        return "below_floor", (
            f"fine-tuning is {-points:.1f} points below the linear probe: the run harmed the features (see findings)"
        )
    return "gain", f"fine-tuning beats the linear probe by {points:.1f} points"


def _variance(scores: Scores) -> float:
    """Of a share measured on so many independent examples; one success and one failure are added (Laplace),

    so that 12 right of 12 is not taken for certainty."""
    count = scores.num_examples + 2
    share = (scores.accuracy * scores.num_examples + 1) / count
    return share * (1 - share) / count
