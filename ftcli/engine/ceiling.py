"""What this machine computes at most: a large matrix product in a run's precision, measured."""

from __future__ import annotations

from time import perf_counter

import torch

from ftcli.engine.precision import DTYPES
from ftcli.plans.training_plan import Precision

SECONDS = 0.3
SIDES = {"cpu": 2048, "cuda": 8192}
"""Of the square matrices: large enough for all of a device to work."""


@torch.no_grad()
def matmul_flops(device: str, precision: Precision) -> float:
    """FLOP/s of the quickest product within a third of a second, after one that does not count."""
    side = SIDES[device]
    dtype = DTYPES.get(precision, torch.float32)
    left, right = (torch.ones(side, side, dtype=dtype, device=device) for _ in range(2))
    _timed(left, right)
    took = [_timed(left, right)]
    while sum(took) < SECONDS:
        took.append(_timed(left, right))
    return 2 * side**3 / min(took)


def _timed(left: torch.Tensor, right: torch.Tensor) -> float:
    started = perf_counter()
    left @ right
    if left.is_cuda:
        torch.cuda.synchronize()
    return perf_counter() - started
