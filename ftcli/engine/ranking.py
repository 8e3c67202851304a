"""How well scores put what has a class before what has not: the area under the ROC curve, and average precision.

Examples of equal scores are one threshold, as in scikit-learn.
"""

from __future__ import annotations

import torch
from torch import Tensor


def area_under_roc(scores_N: Tensor, has_N: Tensor) -> float | None:
    """The share of pairs, one with the class and one without, that are in order; None where there is no such pair.

    `has_N`: bool. A pair of equal scores counts half (Hanley & McNeil 1982).
    """
    hits_T, taken_T = _thresholds(scores_N, has_N)
    false_T = taken_T - hits_T
    if not hits_T.numel() or not hits_T[-1] or not false_T[-1]:
        return None
    start = hits_T.new_zeros(1)
    area = torch.trapezoid(torch.cat([start, hits_T]), torch.cat([start, false_T]))
    return (area / (hits_T[-1] * false_T[-1])).item()


def average_precision(scores_N: Tensor, has_N: Tensor) -> float | None:
    """The mean, over what has the class, of the precision at its threshold; None where nothing has it."""
    hits_T, taken_T = _thresholds(scores_N, has_N)
    if not hits_T.numel() or not hits_T[-1]:
        return None
    new_T = hits_T.diff(prepend=hits_T.new_zeros(1))
    return ((new_T * hits_T / taken_T).sum() / hits_T[-1]).item()


def _thresholds(scores_N: Tensor, has_N: Tensor) -> tuple[Tensor, Tensor]:
    """At each different score, from the highest: how many have the class of those with it or more, and how many are.

    double (T,), (T,).
    """
    scores_N, order = scores_N.sort(descending=True)
    last_N = torch.ones_like(scores_N, dtype=torch.bool)
    last_N[:-1] = scores_N.diff() != 0
    hits_N = has_N[order].cumsum(0)
    taken_N = torch.arange(1, len(scores_N) + 1, device=scores_N.device)
    return hits_N[last_N].double(), taken_N[last_N].double()
