"""Whether two variants differ, judged on the same test images: an exact test, and an interval of the difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import lgamma, log

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
Right = Mapping[str, bool]
"""Test image -> whether a run had it right."""


@dataclass(frozen=True)
class Paired:
    """A variant against the best one, over the seeds that both have. Differences are in accuracy, best minus other."""

    best: str
    other: str
    num_images: int
    """Test images, each counted once however many seeds tested on it."""
    num_pairs: int
    """Runs of one seed on both sides."""
    only_best: int
    """Times that the best one alone was right, over all pairs; `only_other` the other way round."""
    only_other: int
    difference: float
    low: float
    high: float
    """95%: images drawn anew, each with all its seeds (paired percentile bootstrap)."""
    p: float
    """Exact, two-sided; see `sign_flip_p`. It speaks of other test images, not of other trainings: for these look at
    the spread over seeds."""
    p_holm: float = 1.0
    """The same after Holm (1979), for all the variants that the best one is compared with."""


def compare_pair(best: str, other: str, pairs: Sequence[tuple[Right, Right]]) -> Paired | None:
    """`pairs`: by seed, the best and the other. None where there is none, or a pair was tested on other images."""
    if not pairs or any(one.keys() != two.keys() or not one for one, two in pairs):
        return None
    by_image: Counter[str] = Counter()
    times: Counter[str] = Counter()
    only = Counter[str]()
    for one, two in pairs:
        for key in one:
            by_image[key] += one[key] - two[key]
            times[key] += 1
            only["best" if one[key] else "other"] += one[key] != two[key]
    low, high = _interval([(by_image[key], times[key]) for key in times])
    return Paired(
        best=best,
        other=other,
        num_images=len(times),
        num_pairs=len(pairs),
        only_best=only["best"],
        only_other=only["other"],
        difference=(only["best"] - only["other"]) / times.total(),
        low=low,
        high=high,
        p=sign_flip_p([by_image[key] for key in times]),
    )


def sign_flip_p(differences: Sequence[int]) -> float:
    """The two-sided p of a sum of differences, one for each image, if each might as well have had the other sign.

    With one seed a difference is -1, 0 or 1, and this is McNemar's exact test: a binomial of the images that one of
    the two alone had right. With several an image's differences are added first, for they are not independent. The
    distribution of the sum is computed, not drawn.
    """
    observed, chances, lowest = abs(sum(differences)), np.ones(1), 0
    for size, count in Counter(abs(d) for d in differences if d).items():
        steps = np.zeros(2 * size * count + 1)
        steps[:: 2 * size] = _binomial(count)
        chances, lowest = np.convolve(chances, steps), lowest - size * count
    totals = np.abs(np.arange(len(chances)) + lowest)
    return min(1.0, float(chances[totals >= observed].sum()))


def _binomial(count: int) -> NDArray[np.float64]:
    """The chances of 0 to `count` heads."""
    logs = [lgamma(count + 1) - lgamma(k + 1) - lgamma(count - k + 1) for k in range(count + 1)]
    return np.exp(np.array(logs) - count * log(2))


def with_holm(pairs: Sequence[Paired]) -> tuple[Paired, ...]:
    """Each with its p times the number of hypotheses that are not yet refused, never below one that is smaller."""
    adjusted, highest = {}, 0.0
    for rank, pair in enumerate(sorted(pairs, key=lambda pair: pair.p)):
        highest = max(highest, min(1.0, pair.p * (len(pairs) - rank)))
        adjusted[pair.other] = highest
    return tuple(replace(pair, p_holm=adjusted[pair.other]) for pair in pairs)


def _interval(images: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """Of the sum of differences over the times tested. Images that are alike are drawn together."""
    kinds, counts = zip(*Counter(images).items(), strict=True)
    drawn_RK = np.random.default_rng(0).multinomial(
        len(images), np.array(counts) / len(images), size=RESAMPLES
    )
    difference_K, times_K = np.array(kinds).T
    low, high = np.percentile(drawn_RK @ difference_K / (drawn_RK @ times_K), [2.5, 97.5])
    return float(low), float(high)
