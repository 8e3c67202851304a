"""The peak of a stretch of work, and not of what came before it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from ftcli.engine import peak_memory
from ftcli.engine.peak_memory import PeakMemory

MIB = 2**20
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="of Linux's /proc")


def held(mebibytes: int) -> int:
    """The peak while so much is filled and let go."""
    peak = PeakMemory("cpu")
    np.ones(mebibytes * MIB, dtype=np.uint8)
    assert peak.bytes is not None
    return peak.bytes


def test_what_is_let_go_counts_and_what_came_before_does_not() -> None:
    small, large, small_again = held(1), held(300), held(1)
    assert large - small > 250 * MIB
    assert small_again - small < 50 * MIB


def test_where_a_process_may_not_reset_its_peak_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak_memory, "_CLEAR", Path("/nonexistent/clear_refs"))
    assert PeakMemory("cpu").bytes is None
