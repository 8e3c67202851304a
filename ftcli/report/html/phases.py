"""The phases as they were performed: which epochs each had, and what began to train in it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from ftcli.plans.phase import Phase
from ftcli.plans.training_plan import TrainingPlan
from ftcli.report import numbers
from ftcli.report.html.svg import Band
from ftcli.report.html.text import foreign, safe
from ftcli.report.safe_text import listed
from ftcli.workflows.report_run import RunRecord

_STAGES_WIDTH = 80


@dataclass(frozen=True)
class Performed:
    """`start` is its first epoch, `end` the one after its last; `phase` None where the plan is not known."""

    number: int
    name: str
    start: int
    end: int
    phase: Phase | None


def performed(run: RunRecord) -> tuple[Performed, ...]:
    """By what the epochs say: a phase may have ended on a plateau, before its plan."""
    phases = run.plan.phases if run.plan else ()
    planned: dict[str, tuple[int, Phase | None]] = {p.name: (number, p) for number, p in enumerate(phases)}
    found: list[Performed] = []
    for name, group in groupby(run.epochs, key=lambda row: row.phase):
        rows = list(group)
        number, phase = planned.get(name, (len(found), None))
        found.append(Performed(number, name, rows[0].epoch, rows[-1].epoch + 1, phase))
    return tuple(found)


def bands(phases: tuple[Performed, ...]) -> tuple[Band, ...]:
    """None of a run of one phase: there is nothing to tell apart."""
    if len(phases) < 2:
        return ()
    return tuple(Band(phase.start, phase.end, str(phase.number)) for phase in phases)


def phase_list(phases: tuple[Performed, ...], plan: TrainingPlan | None) -> str:
    """The key to the numbers above the charts."""
    if len(phases) < 2:
        return ""
    lines, before = [], frozenset[str]()
    for phase in phases:
        told = [safe(numbers.when(phase.start, phase.end))]
        if phase.phase is not None and plan is not None:
            stages = {group.stage for group in phase.phase.groups}
            told.append(_change(plan, before, stages))
            share = len_of(plan, phase.phase) / max(plan.layer_map.numel(), 1)
            told.append(f"{numbers.share(share)} of the parameters train")
            before = frozenset(stages)
        lines.append(f"<li><b>{phase.number}</b> {foreign(phase.name)}: {', '.join(told)}</li>")
    return "<h3>Phases, by the numbers in the charts</h3>\n" + f'<ul class="phases">{"".join(lines)}</ul>'


def len_of(plan: TrainingPlan, phase: Phase) -> int:
    """Parameters that train."""
    return plan.layer_map.numel(phase.mask.trainable)


def _change(plan: TrainingPlan, before: frozenset[str], now: set[str]) -> str:
    def named(stages: set[str]) -> str:
        return safe(listed([stage for stage in plan.layer_map.stages if stage in stages], _STAGES_WIDTH))

    if not before:
        return f"trains {named(now)}"
    thawed, frozen = now - before, set(before - now)
    told = [f"<strong>unfreezes {named(thawed)}</strong>"] if thawed else []
    told += [f"freezes {named(frozen)}"] if frozen else []
    return ", ".join(told) or "trains the same stages"
