"""Time by span: every moment once, for the innermost; nothing where nobody profiles."""

from __future__ import annotations

from threading import Thread

import pytest

from ftcli.engine import stopwatch
from ftcli.engine.stopwatch import profiling, running, span
from ftcli.plans.profile import Part


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the clock says, to be changed by hand."""
    says = [100.0]
    monkeypatch.setattr(stopwatch, "perf_counter", lambda: says[0])
    return says


def test_a_moment_counts_for_the_innermost_span_and_the_parts_are_the_whole(clock: list[float]) -> None:
    with profiling() as watch:
        clock[0] += 1
        with span("floor"):
            clock[0] += 2
            with span("forward", 8):
                clock[0] += 4
            with span("forward", 3):
                clock[0] += 8
            clock[0] += 16
        with span("forward", 5):
            clock[0] += 32
        clock[0] += 64
        profile = watch.profile()
    assert profile.parts == (
        Part((), 65.0),
        Part(("floor",), 18.0),
        Part(("floor", "forward"), 12.0, 11),
        Part(("forward",), 32.0, 5),
    )
    assert profile.seconds == 127.0 == sum(part.seconds for part in profile.parts)
    assert profile.beside == ()


def test_a_span_within_itself_is_itself_and_one_that_fails_is_closed(clock: list[float]) -> None:
    def fail() -> None:
        with span("prefix"), span("prefix", 2):
            clock[0] += 1
            raise ZeroDivisionError

    with profiling() as watch:
        with pytest.raises(ZeroDivisionError):
            fail()
        clock[0] += 2
        assert watch.profile().parts == (Part((), 2.0), Part(("prefix",), 1.0, 2))


def test_other_threads_are_beside_and_add_nothing_to_the_whole(clock: list[float]) -> None:
    def decode() -> None:
        clock[0] += 50  # no span holds it: not this run's
        with span("decode", 1):
            clock[0] += 4

    with profiling() as watch, span("reading images", 2):
        for _ in range(2):
            thread = Thread(target=decode)
            thread.start()
            thread.join()
        profile = watch.profile()
    assert profile.beside == (Part(("decode",), 8.0, 2),)
    assert profile.parts == (Part((), 0.0), Part(("reading images",), 108.0))


def test_where_nobody_profiles_no_clock_is_read_and_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> float:
        raise AssertionError("the clock was read")

    monkeypatch.setattr(stopwatch, "perf_counter", refuse)
    with span("forward", 8) as entered:
        assert entered is None
    assert span("forward") is span("backward", 3)
    with pytest.raises(AssertionError, match="was read"), profiling():
        pass
    assert running() is None


def test_on_a_gpu_a_span_waits_before_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    waits: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waits.append(1))
    with profiling(), span("forward"):
        thread = Thread(target=lambda: span("decode").__enter__())
        thread.start()
        thread.join()
        assert len(waits) == 1
    assert len(waits) == 2
