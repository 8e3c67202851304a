"""Floor and ceiling in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from ftcli.engine.progress import Compared
from ftcli.events import Scores
from ftcli.workflows.result import VerdictKind

NAMES: dict[Compared, str] = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "mean_average_precision": "mean average precision",
}


def verdict_of(
    floor: Scores | None,
    ceiling: Scores | None,
    pretrained: bool,
    metric: Compared = "accuracy",
    val_counts: Sequence[int] = (),
) -> tuple[VerdictKind, str]:
    """Compared on `metric`; a difference within its own standard error is not a difference.

    `val_counts`: validation examples of each class, for the error of a mean over classes.
    """
    if not pretrained:
        return "scratch", "trained from scratch: no pretrained features to measure a floor or a ceiling on"
    if floor is None or ceiling is None:
        return (
            "probe_only",
            "a linear probe: this is the floor; run a fine-tuning strategy to see the ceiling",
        )
    by, of = NAMES[metric], _effective(metric, val_counts)
    points = 100 * (_value(ceiling, metric) - _value(floor, metric))
    error = 100 * sqrt(_variance(floor, metric, of) + _variance(ceiling, metric, of))
    if abs(points) <= error:
        return "no_clear_gain", (
            f"fine-tuning is within one standard error of the linear probe ({points:+.1f} points of {by}, "
            f"error {error:.1f})"
        )
    if points < 0:
        return "below_floor", (
            f"fine-tuning is {-points:.1f} points of {by} below the linear probe: the run harmed the features "
            "(see findings)"
        )
    return "gain", f"fine-tuning beats the linear probe by {points:.1f} points of {by}"


def _value(scores: Scores, metric: str) -> float:
    """Balanced accuracy is None in runs from before it was measured."""
    found = getattr(scores, metric)
    return float(scores.accuracy if found is None else found)


def _effective(metric: str, counts: Sequence[int]) -> float | None:
    """As how many examples a mean over classes is worth: few of a rare class make it unsure however many others are.

    The variance of a mean of C shares, each of n_c examples, is that of one share of C^2 / sum(1 / n_c). For macro F1
    and mean average precision it is an approximation. None: as many as there are.
    """
    known = [count for count in counts if count]
    if metric == "accuracy" or not known:
        return None
    return len(known) ** 2 / sum(1 / count for count in known)


def _variance(scores: Scores, metric: str, effective: float | None) -> float:
    """Of a share measured on so many independent examples; one success and one failure are added (Laplace),

    so that 12 right of 12 is not taken for certainty."""
    examples = scores.num_examples if effective is None else effective
    count = examples + 2
    share = (_value(scores, metric) * examples + 1) / count
    return share * (1 - share) / count
