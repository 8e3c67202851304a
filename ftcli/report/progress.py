"""The footer of a run on a terminal: a bar for the epoch, one for the run, and the time left."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ftcli.events import EpochDone, Event, PhaseStarted, PlanReady, StepDone, Working
from ftcli.report import numbers
from ftcli.report.safe_text import shorten
from ftcli.report.style import QUIET

_BAR_WIDTH = 20
_RECENT = 5
"""Epochs whose mean length is the pace."""


class Footer:
    """Remembers the latest events and draws them when asked to, so that an event costs next to nothing."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = self._epoch_started = clock()
        self._phase = ""
        self._num_epochs: int | None = None
        self._step: StepDone | None = None
        self._work: Working | None = None
        self._recent: deque[float] = deque(maxlen=_RECENT)

    def see(self, event: Event) -> None:
        match event:
            case StepDone():
                self._work, self._step = None, event
            case Working():
                self._work = None if event.done == event.total else event
            case EpochDone():
                self._recent.append(event.seconds)
                self._num_epochs = event.num_epochs
                self._next_epoch()
            case PhaseStarted():
                self._phase = event.phase.name
                self._recent.clear()
                self._next_epoch()
            case PlanReady():
                self._num_epochs = event.plan.epochs

    def seconds_left(self) -> float | None:
        """Were every epoch as long as the recent ones of this phase. None: not known yet."""
        if self._step is None or self._num_epochs is None:
            return None
        in_epoch = self._clock() - self._epoch_started
        if self._recent:
            pace = sum(self._recent) / len(self._recent)
        else:
            pace = in_epoch * self._step.num_steps / max(self._step.step, 1)
        return max(pace * (self._num_epochs - self._step.epoch) - in_epoch, 0.0)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        work, step = self._work, self._step
        grid = Table.grid(padding=(0, 2, 0, 0))
        for _ in range(3):
            grid.add_column(no_wrap=True)
        if work is not None:
            told = Text(_of(work.done, work.total))
            grid.add_row(Text(shorten(work.what, 24)), _bar(work.done, work.total), told)
            yield grid
        elif step is not None:
            for row in self._epoch_rows(step):
                grid.add_row(*row)
            yield grid

    def _next_epoch(self) -> None:
        self._step = self._work = None
        self._epoch_started = self._clock()

    def _epoch_rows(self, step: StepDone) -> list[tuple[RenderableType, ...]]:
        name = Text(f"epoch {step.epoch} {shorten(self._phase, 10)}")
        told = Text(f"{_of(step.step, step.num_steps)} steps, loss {step.loss:.4f}")
        rows: list[tuple[RenderableType, ...]] = [(name, _bar(step.step, step.num_steps), told)]
        if self._num_epochs is not None:
            done = step.epoch + step.step / max(step.num_steps, 1)
            rows.append((Text("run"), _bar(done, self._num_epochs), Text(self._times(), style=QUIET)))
        return rows

    def _times(self) -> str:
        so_far = numbers.duration(self._clock() - self._started)
        left = self.seconds_left()
        return so_far if left is None else f"{so_far}, about {numbers.duration(left)} left"


def _bar(done: float, total: float | None) -> ProgressBar:
    return ProgressBar(total=total, completed=done, width=_BAR_WIDTH, pulse=total is None)


def _of(done: int, total: int | None) -> str:
    return f"{done:,}" if total is None else f"{done:,}/{total:,}"
