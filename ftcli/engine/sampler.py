"""Which examples an epoch takes, and in what order: a function of (seed, epoch), the same for images and features."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import torch

from ftcli.engine.seed import derive, permutation
from ftcli.errors import DataError
from ftcli.plans.data_splits import TRAIN, DataSplits
from ftcli.plans.training_plan import Sampler

Order = Callable[[int], list[int]]
"""Epoch -> positions in the train stream, as many as the stream has."""


def order_of(sampler: Sampler, splits: DataSplits, seed: int) -> Order:
    """Raises DataError where examples are drawn by weight and none weighs anything."""
    count = len(splits.streams[TRAIN])
    if sampler == "shuffle":
        return lambda epoch: permutation(seed, epoch, count)
    weights_N = torch.tensor(_weights(sampler, splits), dtype=torch.float64)
    if not weights_N.sum() > 0:
        raise DataError(
            "every training example weighs 0", remedy="give weights, or set train.sampler: shuffle"
        )
    return lambda epoch: _draw(weights_N, derive(seed, "draw", epoch))


def _weights(sampler: Sampler, splits: DataSplits) -> list[float]:
    """balanced: one over the size of the example's class, of several the rarest. weighted: what the data says; 1

    where it says nothing.
    """
    if sampler == "weighted":
        return [splits.examples[i].weight for i in splits.streams[TRAIN]]
    strata = [splits.strata[i] for i in splits.streams[TRAIN]]
    counts = Counter(strata)
    return [1 / counts[stratum] for stratum in strata]


def _draw(weights_N: torch.Tensor, seed: int) -> list[int]:
    """As many positions as there are weights, each drawn by weight, with replacement.

    By the inverse of the cumulative weights: torch.multinomial ends at 2^24 examples. An example of weight 0 has
    no share of the line and is never met.
    """
    upto_N = weights_N.cumsum(0)
    generator = torch.Generator().manual_seed(seed)
    points_N = torch.rand(len(weights_N), generator=generator, dtype=torch.float64) * upto_N[-1]
    last = int(weights_N.nonzero()[-1])
    positions: list[int] = torch.searchsorted(upto_N, points_N, right=True).clamp_max(last).tolist()
    return positions
