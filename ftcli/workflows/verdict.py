"""Floor and ceiling in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from ftcli.engine.progress import Compared
from ftcli.events import Scores
from ftcli.planner.monitors.history import SCORES, value_of, variance_of
from ftcli.plans.score_error import effective_count
from ftcli.workflows.result import VerdictKind

HARM_ERRORS = 2.0
"""Standard errors below the probe that are harm: of runs that are its equal, one in six is one error below."""


def verdict_of(
    floor: Scores | None,
    ceiling: Scores | None,
    pretrained: bool,
    metric: Compared = "accuracy",
    val_counts: Sequence[int] = (),
) -> tuple[VerdictKind, str]:
    """Compared on `metric`; a difference within its own standard error is not a difference, nor is harm within two.

    `val_counts`: validation examples of each class, for the error of a mean over classes.
    """
    if not pretrained:
        return "scratch", "trained from scratch: no pretrained features to measure a floor or a ceiling on"
    if floor is None or ceiling is None:
        return (
            "probe_only",
            "a linear probe: this is the floor; run a fine-tuning strategy to see the ceiling",
        )
    by, of = SCORES[metric], effective_count(metric, tuple(val_counts))
    points = 100 * (value_of(ceiling, metric) - value_of(floor, metric))
    error = 100 * sqrt(variance_of(floor, metric, of) + variance_of(ceiling, metric, of))
    if -HARM_ERRORS * error <= points <= error:
        near = "one standard error" if abs(points) <= error else "two standard errors"
        return "no_clear_gain", (
            f"fine-tuning is within {near} of the linear probe ({points:+.1f} points of {by}, error {error:.1f})"
        )
    if points < 0:
        return "below_floor", (
            f"fine-tuning is {-points:.1f} points of {by} below the linear probe: the run harmed the features, or was "
            "too short (see findings)"
        )
    return "gain", f"fine-tuning beats the linear probe by {points:.1f} points of {by}"
