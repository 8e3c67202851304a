"""Ctrl-C, SIGTERM and SIGUSR1, remembered until work has come to a place where it can stop.

SIGUSR1 is what a cluster sends some time before a job's limit (`sbatch --signal=USR1@120`): it ends a run in order,
as SIGTERM does.

Python's own handler raises KeyboardInterrupt between any two instructions, whatever they belong to: a destructor or a
callback prints and drops it, and a training would go on. So a signal is on record here before anything is raised:
where an exception was dropped, the next safe point raises it again.

Only a process that is ftcli's own listens (`listening`). In a library nobody does: signals stay with whom they
belong to, and a safe point costs a comparison.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name))
"""Windows has no SIGUSR1."""


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGUSR1: the system, or who runs it, wants the process gone; stopped like Ctrl-C, told apart by

    exit code.
    """


class _State:
    """Of the process, as its signal handlers are. `waiting` counts the pieces of work around us that can wait."""

    asked: int | None = None
    waiting = 0


def safe_point() -> None:
    """Between two steps, batches or files. Raises KeyboardInterrupt when a signal has asked to stop."""
    if _State.asked is not None:
        raise KeyboardInterrupt if _State.asked == signal.SIGINT else Terminated


def stop_asked() -> bool:
    """Whether the next safe point raises: the last moment to keep what is done."""
    return _State.asked is not None


@contextmanager
def at_safe_points() -> Iterator[None]:
    """Work that comes by a safe point every so often: the first signal waits for it, a second one does not."""
    _State.waiting += 1
    try:
        safe_point()
        yield
        safe_point()
    except (
        RuntimeError
    ):  # of a worker that the same signal has ended: it was sent to the whole group of processes
        safe_point()
        raise
    finally:
        _State.waiting -= 1


@contextmanager
def listening() -> Iterator[None]:
    """Signals stop the work in this context in order; afterwards they are whose they were.

    What is ignored stays so (a shell's background job ignores Ctrl-C), and outside the main thread, where Python
    sets no handlers, nothing changes.
    """
    before = {number: signal.getsignal(number) for number in SIGNALS} if _is_main() else {}
    ours = {n: handler for n, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number in ours:
        signal.signal(number, _ask)
    try:
        yield
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)
        _State.asked = None


def _ask(number: int, frame: FrameType | None) -> None:
    again, _State.asked = _State.asked is not None, number
    if again or not _State.waiting:
        safe_point()


def _is_main() -> bool:
    return current_thread() is main_thread()
