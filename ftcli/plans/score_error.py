"""How sure a score is that was measured on so many examples."""

from __future__ import annotations

from collections.abc import Sequence


def effective_count(metric: str, counts: Sequence[int]) -> float | None:
    """As how many examples a mean over classes is worth: few of a rare class make it unsure however many others are.

    The variance of a mean of C shares, each of n_c examples, is that of one share of C^2 / sum(1 / n_c). For macro F1
    and mean average precision it is an approximation. None: as many as there are.
    """
    known = [count for count in counts if count]
    if metric == "accuracy" or not known:
        return None
    return len(known) ** 2 / sum(1 / count for count in known)


def variance_of_share(share: float, examples: float) -> float:
    """Of a share measured on so many independent examples; one success and one failure are added (Laplace),

    so that 12 right of 12 is not taken for certainty."""
    count = examples + 2
    likely = (share * examples + 1) / count
    return likely * (1 - likely) / count
