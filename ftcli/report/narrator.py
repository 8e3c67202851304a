"""Events as lines, the same on a terminal and in a pipe."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from rich.console import RenderableType
from rich.text import Text

from ftcli.events import (
    EpochDone,
    Event,
    FoldStarted,
    Noticed,
    PhaseProved,
    PhaseStarted,
    PlanReady,
    Working,
)
from ftcli.findings import Finding
from ftcli.plans.inputs import noun_of
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
        self._noun = "image"
        self._work: tuple[str, float] | None = None
        self._rows = 0
        self._fold: FoldStarted | None = None
        self._told: set[Finding] = set()
        """Findings that were told; another fold on the same data does not repeat them."""

    def told(self, event: Event) -> Iterator[RenderableType]:
        match event:
            case FoldStarted():
                self._fold, self._rows = event, 0
                yield Text("")
                yield _fold_heading(event)
            case PlanReady():
                yield from self._plan_ready(event)
            case Working():
                yield from self._working(event)
            case PhaseStarted():
                yield Text("")
                yield self._phase_started(event)
            case EpochDone():
                if self._rows % _HEADER_EVERY == 0:
                    yield epoch_header(event, self._noun)
                self._rows += 1
                yield epoch_line(event)
            case PhaseProved():
                yield proof_line(event.checked, len(event.changed), event.changed, f" in phase {event.phase}")
            case Noticed():
                yield from self._noticed([event.finding])

    def _plan_ready(self, event: PlanReady) -> Iterator[RenderableType]:
        """The plan in full, once: the other folds have the same, but for the examples that validate."""
        is_first, self._layer_map = self._layer_map is None, event.plan.layer_map
        self._noun = noun_of(event.plan.preprocessing)
        if is_first or self._fold is None:
            self._told.update(event.plan.findings)
            yield plan_view(event.plan, event.forecast)
            yield Text("")
        else:
            yield plain("the same plan", QUIET)
            yield from self._noticed(event.plan.findings)
        yield unbroken(plain(f"run folder {event.run}"))
        for note in event.notes if is_first or self._fold is None else event.notes[-1:]:
            yield plain(note, QUIET)

    def _noticed(self, findings: Iterable[Finding]) -> Iterator[Text]:
        for finding in findings:
            if self._fold is not None and finding in self._told:
                continue
            self._told.add(finding)
            line = Text(finding_line(finding), style=STYLES[finding.severity])
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


def _fold_heading(event: FoldStarted) -> Text:
    return Text(f"fold {event.fold} of {event.num_folds}, counted from 0", style=STRONG)
