"""Events as lines, the same on a terminal and in a pipe."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from rich.console import RenderableType
from rich.text import Text

from ftcli.events import EpochDone, Event, Noticed, PhaseProved, PhaseStarted, PlanReady, Working
from ftcli.plans.layer_map import LayerMap
from ftcli.report import numbers
from ftcli.report.epoch_line import epoch_header, epoch_line
from ftcli.report.findings import STYLES, finding_line
from ftcli.report.layout import unbroken
from ftcli.report.plan_table import plan_view
from ftcli.report.safe_text import listed, plain
from ftcli.report.style import BAD, GOOD, QUIET, STRONG

_HEADER_EVERY = 25
"""Epochs after which the header is repeated, so that one is always on the screen."""


class Narrator:
    """Tells each event in no, one or several lines.

    `in_pipe`: a finding stays one line, and work is announced, for there is no bar to show it.
    """

    def __init__(self, *, in_pipe: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._in_pipe = in_pipe
        self._clock = clock
        self._layer_map: LayerMap | None = None
        self._work: tuple[str, float] | None = None
        self._rows = 0

    def told(self, event: Event) -> Iterator[RenderableType]:
        match event:
            case PlanReady():
                self._layer_map = event.plan.layer_map
                yield from _plan_ready(event)
            case Working():
                yield from self._working(event)
            case PhaseStarted():
                yield Text("")
                yield self._phase_started(event)
            case EpochDone():
                if self._rows % _HEADER_EVERY == 0:
                    yield epoch_header(event)
                self._rows += 1
                yield epoch_line(event)
            case PhaseProved():
                yield proof_line(event.checked, len(event.changed), event.changed, f" in phase {event.phase}")
            case Noticed():
                line = Text(finding_line(event.finding), style=STYLES[event.finding.severity])
                yield unbroken(line) if self._in_pipe else line

    def _working(self, event: Working) -> Iterator[Text]:
        """A line when something begins, and one when it is done, with the time it took."""
        finished = event.done == event.total
        if self._work is None or self._work[0] != event.what:
            self._work = (event.what, self._clock())
            if self._in_pipe and not finished:
                total = "" if event.total is None else f", {event.total:,} in all"
                yield unbroken(plain(f"{event.what}{total}"))
        if finished:
            seconds = self._clock() - self._work[1]
            self._work = None
            yield unbroken(plain(f"{event.what}: {event.done:,} in {numbers.duration(seconds)}", QUIET))

    def _phase_started(self, event: PhaseStarted) -> Text:
        phase = event.phase
        line = Text.assemble(plain(f"phase {event.index}: {phase.name}", STRONG))
        line.append(f", {numbers.when(event.epoch, phase.end_epoch)}")
        if self._layer_map is not None:
            names = [name for group in phase.groups for name in group.params]
            stages = len({group.stage for group in phase.groups})
            line.append(f", {self._layer_map.numel(names):,} parameters train in {stages} of ")
            line.append(f"{len(self._layer_map.stages)} stages")
        return unbroken(line)


def proof_line(checked: int, changed: int, names: tuple[str, ...], where: str = "") -> Text:
    """Whether what was frozen stayed, to the last bit; by name what did not."""
    line = f"proof: {changed:,} of {checked:,} frozen tensors changed{where}"
    if not changed:
        return plain(line, GOOD)
    return plain(f"{line}: {listed(names, 200)}" if names else line, BAD)


def _plan_ready(event: PlanReady) -> Iterator[RenderableType]:
    yield plan_view(event.plan)
    yield Text("")
    yield unbroken(plain(f"run folder {event.run}"))
    for note in event.notes:
        yield plain(note, QUIET)
