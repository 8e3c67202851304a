"""What coming phases keep, made before what is kept above it: that is computed from it, and every layer runs once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import chain, takewhile

from ftcli.engine.asked import Below, Pass
from ftcli.engine.cut import Cut
from ftcli.engine.frozen_part import new_cut, proof_of, stage_of
from ftcli.engine.passes import passes_of_phase
from ftcli.engine.work import Work
from ftcli.events import Event, Working
from ftcli.plans.phase import Phase


@dataclass(frozen=True)
class Coming:
    """A phase that will keep the passes of these names."""

    phase: Phase
    names: frozenset[str]

    @property
    def boundary(self) -> int:
        return self.phase.prefix.boundary


def coming_of(work: Work, phases: Sequence[Phase]) -> tuple[Coming, ...]:
    """The phases up to the first that keeps nothing: in that one, what lies below may train."""
    return tuple(
        Coming(phase, frozenset(each.name for each in chain(*passes_of_phase(work, phase).values())))
        for phase in takewhile(lambda phase: phase.prefix.kept, phases)
    )


def keep_below(work: Work, boundary: int, missing: Sequence[Pass], coming: Sequence[Coming]) -> None:
    """Of the passes that are missing at `boundary`, what the coming phases keep below it; the lowest first, each from
    the one before.

    Nothing where the disk has no room for all of it, or a phase's size is not known: memory is for what is needed now.
    Nothing is told: a phase may never come.
    """
    lower = sorted((each for each in coming if each.boundary < boundary), key=lambda each: each.boundary)
    asked = [(each.phase, [one for one in missing if one.name in each.names]) for each in lower]
    asked = [(phase, passes) for phase, passes in asked if passes]
    if not asked or not _has_room(work, asked):
        return
    quiet = copy(work)
    quiet.tell = _progress_of(work)
    for phase, passes in asked:
        cut = new_cut(quiet, phase)
        if cut is None or not _kept(quiet, cut, passes):
            return


def told(work: Work, stage: str) -> Callable[[int, int], None]:
    """Tells how much of the examples has gone through what lies below the stage."""
    what = f"frozen part below {stage}"
    return lambda done, total: work.tell(Working(what, done, total))


def _kept(work: Work, cut: Cut, passes: Sequence[Pass]) -> bool:
    below = Below(lambda: proof_of(work), lambda missing: None)
    progress = told(work, stage_of(work, cut.boundary))
    return work.prefixes.get(work.network, cut, passes, progress, below, in_memory=False) is not None


def _has_room(work: Work, asked: Sequence[tuple[Phase, Sequence[Pass]]]) -> bool:
    """Whether the disk can hold all of it at once."""
    shelf, costs = work.prefixes.shelf, [phase.prefix.cost for phase, _ in asked]
    counts = [sum(each.count for each in passes) for _, passes in asked]
    if shelf is None or None in costs:
        return False
    return shelf.store.room_for(
        sum(cost.bytes_per_image * n for cost, n in zip(costs, counts, strict=True) if cost)
    )


def _progress_of(work: Work) -> Callable[[Event], None]:
    def listen(event: Event) -> None:
        if isinstance(event, Working):
            work.tell(event)

    return listen
