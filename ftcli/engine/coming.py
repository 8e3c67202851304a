"""What coming phases keep, made before what is kept above it: that is computed from it, and every layer runs once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from itertools import chain

from ftcli.engine.asked import Below, Coming, Pass
from ftcli.engine.cut import Cut
from ftcli.engine.frozen_part import new_cut, proof_of, stage_of
from ftcli.engine.passes import passes_of_phase
from ftcli.engine.work import Work
from ftcli.events import Event, Working
from ftcli.plans.phase import Phase, ever_lower


def coming_of(work: Work, phases: Sequence[Phase]) -> tuple[Coming, ...]:
    """What the phases keep lower than all before them."""
    return tuple(
        Coming(phase, frozenset(each.name for each in chain(*passes_of_phase(work, phase).values())))
        for phase in ever_lower(phases)
    )


def keep_below(work: Work, phase: Phase, missing: Sequence[Pass]) -> None:
    """Of the passes that `phase` misses, what is kept below it later; the lowest first, each made of the one before.

    Nothing where the disk might not hold all of it beside what is missing. No finding tells of the network, for a
    phase may never come.
    """
    asked = _asked(work, phase, missing)
    if not asked or not _has_room(work, phase, missing, asked):
        return
    quiet = copy(work)
    quiet.tell = _progress_of(work)
    for coming, passes in asked:
        cut = new_cut(quiet, coming)
        if cut is None or not _kept(quiet, cut, passes):
            return


def told(work: Work, stage: str) -> Callable[[int, int], None]:
    """Tells how much of the examples has gone through what lies below the stage."""
    what = f"frozen part below {stage}"
    return lambda done, total: work.tell(Working(what, done, total))


def _asked(work: Work, phase: Phase, missing: Sequence[Pass]) -> list[tuple[Phase, list[Pass]]]:
    """The lowest first."""
    phases = work.plan.phases
    later = coming_of(work, phases[phases.index(phase) :]) if phase in phases else ()
    lower = [each for each in (*work.after, *later) if each.boundary < phase.prefix.boundary]
    lower.sort(key=lambda each: each.boundary)
    asked = [(each.phase, [one for one in missing if one.name in each.names]) for each in lower]
    return [(coming, passes) for coming, passes in asked if passes]


def _kept(work: Work, cut: Cut, passes: Sequence[Pass]) -> bool:
    below = Below(lambda: proof_of(work), lambda missing: None)
    progress = told(work, stage_of(work, cut.boundary))
    return work.prefixes.get(work.network, cut, passes, progress, below, ahead=True) is not None


def _has_room(
    work: Work, phase: Phase, missing: Sequence[Pass], asked: Sequence[tuple[Phase, Sequence[Pass]]]
) -> bool:
    """Whether the disk holds all of it at once, counted in fp32: of what convolutions make bf16 is half as much."""
    wanted = _bytes(phase, missing) or 0  # of a probe's features nobody has measured it: they are small
    for coming, passes in asked:
        size = _bytes(coming, passes)
        if size is None:
            return False
        wanted += size
    return work.prefixes.shelf is not None and work.prefixes.shelf.store.room_for(wanted)


def _bytes(phase: Phase, passes: Sequence[Pass]) -> int | None:
    cost = phase.prefix.cost
    return None if cost is None else cost.bytes_per_image * sum(each.count for each in passes)


def _progress_of(work: Work) -> Callable[[Event], None]:
    def listen(event: Event) -> None:
        if isinstance(event, Working):
            work.tell(event)

    return listen
