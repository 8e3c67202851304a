"""Signals: kept for the next safe point, never lost, and left alone where nobody asked us to listen."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

import ftcli.api
from ftcli.stopping import SIGNALS, Terminated, at_safe_points, listening, safe_point

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
BOTH = pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]
)


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in SIGNALS]


@pytest.fixture(autouse=True)
def as_in_a_foreground_process() -> Iterator[None]:
    """A background job's Ctrl-C is ignored, and stays so; afterwards everything is as it was."""
    before = handlers()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    expected = handlers()
    yield
    assert handlers() == expected
    for number, handler in zip(SIGNALS, before, strict=True):
        signal.signal(number, handler)


def sent(number: int) -> None:
    os.kill(os.getpid(), number)


def steps(*signals: int) -> Iterator[str]:
    """Work of two steps, the signals in the middle of the first."""
    with at_safe_points():
        safe_point()
        yield "begun"
        for number in signals:
            sent(number)
        yield "first"
        safe_point()
        yield "second"


@BOTH
def test_the_step_that_a_signal_comes_in_is_finished(number: int, kind: type[BaseException]) -> None:
    done: list[str] = []
    with listening(), pytest.raises(kind) as caught:
        done.extend(steps(number))
    assert done == ["begun", "first"]
    assert type(caught.value) is kind


@BOTH
def test_a_second_one_is_not_waited_for(number: int, kind: type[BaseException]) -> None:
    done: list[str] = []
    with listening(), pytest.raises(kind):
        done.extend(steps(signal.SIGINT, number))
    assert done == ["begun"]


@BOTH
def test_work_without_safe_points_is_stopped_at_once(number: int, kind: type[BaseException]) -> None:
    with listening(), pytest.raises(kind):
        sent(number)


def test_the_end_of_work_is_a_safe_point() -> None:
    work = at_safe_points()
    with listening():
        work.__enter__()
        sent(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            work.__exit__(None, None, None)


def test_what_the_same_signal_has_broken_is_not_told() -> None:
    """A loader's workers are ended with us, and torch raises for that."""

    @at_safe_points()
    def broken() -> None:
        sent(signal.SIGTERM)
        raise RuntimeError("worker is killed by signal")

    with listening(), pytest.raises(Terminated):
        broken()


def test_an_error_without_a_signal_stays_one() -> None:
    with listening(), pytest.raises(RuntimeError, match="of its own"), at_safe_points():
        raise RuntimeError("of its own")


def test_one_that_a_destructor_dropped_is_raised_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Python's own handler loses it."""

    class Dropped:
        def __del__(self) -> None:
            sent(signal.SIGINT)

    lost: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda about: lost.append(about.exc_type))
    kept = [Dropped()]
    with listening():
        kept.clear()
        assert lost == [KeyboardInterrupt]
        with pytest.raises(KeyboardInterrupt):
            safe_point()
    safe_point()


def test_what_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with listening():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            sent(signal.SIGINT)
            safe_point()
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_another_thread_changes_nothing() -> None:
    before = handlers()
    seen: list[object] = []

    def work() -> None:
        with listening():
            seen.append(handlers())

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def test_the_library_leaves_signals_to_their_owner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Inside a run the handlers are those from before, and Ctrl-C is Python's own."""
    seen: list[object] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ftcli.workflows.train.prepare", lambda *_: seen.append(handlers()) or sent(2))
    before = handlers()
    recipe = {"data": "digits", "model": {"backbone": "timm/test_resnet"}, "strategy": "full"}
    with pytest.raises(ftcli.FtcliError, match="stopped before anything was trained"):
        ftcli.api.train(recipe)
    assert seen == [before]
