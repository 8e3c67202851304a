"""What the machine computes at most."""

from __future__ import annotations

from itertools import accumulate, cycle

import pytest
import torch

from ftcli.engine import ceiling


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_quickest_product_after_the_first_counts(monkeypatch: pytest.MonkeyPatch, precision) -> None:  # type: ignore[no-untyped-def]
    """By a clock on which products take 0.01 s (while everything warms up), 0.2 s, 0.1 s."""
    moments = accumulate([0, 0.01, 0, 0.2, 0, 0.1])
    monkeypatch.setattr(ceiling, "perf_counter", lambda: next(moments))
    monkeypatch.setattr(ceiling, "SIDES", {"cpu": 64})
    assert ceiling.matmul_flops("cpu", precision) == pytest.approx(2 * 64**3 / 0.1)


def test_nothing_random_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is profiled goes on with the numbers that it would have had."""
    monkeypatch.setattr(ceiling, "SIDES", {"cpu": 64})
    ticks = accumulate(cycle([0.2]))
    monkeypatch.setattr(ceiling, "perf_counter", lambda: next(ticks))
    before = torch.get_rng_state()
    ceiling.matmul_flops("cpu", "fp32")
    assert torch.equal(before, torch.get_rng_state())
