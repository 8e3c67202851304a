"""How fast a device multiplies and convolves, measured in a quarter of a second each."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

SECONDS = 0.2
SIDES = {"cpu": 1024, "cuda": 4096}
"""Of square matrices: as large as keeps the device busy, small enough for several of them in that time."""


def gigaflops(device: str, dtype: torch.dtype) -> float:
    """Of products of square matrices: the best of what fits into the time, in 1e9 operations a second."""
    side = SIDES[device]
    with torch.inference_mode():
        factor = torch.randn(side, side, dtype=torch.float32, device=device).to(dtype)
        return 2 * side**3 / _fastest(lambda: factor @ factor, device) / 1e9


def channels_last_gain() -> float:
    """How many times as fast a 3x3 convolution is in channels_last, on the processor."""
    with torch.inference_mode():
        convolution = torch.nn.Conv2d(64, 64, 3, padding=1)
        images = torch.randn(8, 64, 56, 56)
        before = _fastest(lambda: convolution(images), "cpu")
        convolution = convolution.to(memory_format=torch.channels_last)
        last = images.contiguous(memory_format=torch.channels_last)
        return before / _fastest(lambda: convolution(last), "cpu")


def _fastest(work: Callable[[], Tensor], device: str) -> float:
    """Seconds; the least, for the machine may be busy. The first call, which warms up, does not count."""
    work()
    best, end = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < end or best == float("inf"):
        _wait(device)
        start = time.perf_counter()
        work()
        _wait(device)
        best = min(best, time.perf_counter() - start)
    return best


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
