"""Which part of a run takes how long: spans of code by name, timed while somebody profiles and free otherwise.

A thread's time is handed from span to span and every moment counts once, for the innermost that is open: the parts sum
to the whole. On a GPU a span waits for what it has started, so that its time is its own and not that of the next one
that asks for a result; what would have been computed side by side takes longer then.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import get_ident
from time import perf_counter

from ftcli.plans.profile import Part, Profile

Path = tuple[str, ...]


class _Line:
    """One thread's time. `seconds` and `images` by the names of the spans that were open."""

    def __init__(self) -> None:
        self.seconds: dict[Path, float] = {(): 0.0}
        self.images: dict[Path, int] = {(): 0}
        self._open: list[Path] = [()]
        self._since = perf_counter()

    def enter(self, name: str) -> None:
        self.charge()
        outer = self._open[-1]
        path = outer if outer[-1:] == (name,) else (*outer, name)  # a span within itself is itself
        self.seconds.setdefault(path, 0.0)
        self.images.setdefault(path, 0)
        self._open.append(path)

    def leave(self, images: int) -> None:
        self.charge()
        self.images[self._open.pop()] += images

    def charge(self) -> None:
        """The time since the last change, to the innermost span."""
        now = perf_counter()
        self.seconds[self._open[-1]] += now - self._since
        self._since = now

    def parts(self) -> tuple[Part, ...]:
        return tuple(Part(path, seconds, self.images[path]) for path, seconds in self.seconds.items())


class Stopwatch:
    """Runs from when it is made, in the thread that makes it; other threads are timed where they open spans."""

    def __init__(self) -> None:
        self._owner = get_ident()
        self._lines = {self._owner: _Line()}
        self._started = perf_counter()

    def profile(self) -> Profile:
        """So far."""
        own = self._lines[self._owner]
        own.charge()
        others = [line.parts() for thread, line in list(self._lines.items()) if thread != self._owner]
        return Profile(perf_counter() - self._started, own.parts(), _together(others))

    @contextmanager
    def span(self, name: str, images: int) -> Iterator[None]:
        thread = get_ident()
        line = self._lines.get(thread) or self._lines.setdefault(thread, _Line())
        self._wait(thread)
        line.enter(name)
        try:
            yield
        finally:
            self._wait(thread)
            line.leave(images)

    def _wait(self, thread: int) -> None:
        """For what the thread that trains has started on a GPU."""
        torch = sys.modules.get("torch")
        if thread == self._owner and torch is not None and torch.cuda.is_initialized():
            torch.cuda.synchronize()


_NOTHING = nullcontext()
_running: Stopwatch | None = None
"""Of the process: spans stand deep in what knows nothing of who looks on."""


@contextmanager
def profiling() -> Iterator[Stopwatch]:
    """Spans are timed within."""
    global _running
    before, _running = _running, Stopwatch()
    try:
        yield _running
    finally:
        _running = before


def running() -> Stopwatch | None:
    """None where nobody profiles."""
    return _running


def span(name: str, images: int = 0) -> AbstractContextManager[None]:
    """A part of the run, and how many images it deals with. It must not hold a `yield` of a generator."""
    return _NOTHING if _running is None else _running.span(name, images)


def _together(threads: list[tuple[Part, ...]]) -> tuple[Part, ...]:
    """What several threads did, by part; what they did outside of spans is nobody's."""
    summed: dict[Path, Part] = {}
    for part in (part for parts in threads for part in parts if part.path):
        known = summed.get(part.path, Part(part.path, 0.0))
        summed[part.path] = Part(part.path, known.seconds + part.seconds, known.images + part.images)
    return tuple(summed.values())
