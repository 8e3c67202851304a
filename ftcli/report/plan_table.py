"""A TrainingPlan as a page and as JSON: what trains, when, how fast, under which BatchNorm mode."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ftcli.errors import UsageError
from ftcli.plan.freeze_table import FreezeTable, freeze_table
from ftcli.plan.phase import Phase
from ftcli.plan.training_plan import Decision, TrainingPlan
from ftcli.report import stage_table
from ftcli.report.findings import findings_view
from ftcli.report.layout import FirstThatFits, heading, labelled
from ftcli.report.phase_table import phase_table
from ftcli.report.plan_header import plan_header
from ftcli.report.safe_text import plain
from ftcli.report.style import QUIET

_MOST_SIDE_BY_SIDE = 3
"""Phases beside each other on the widest of terminals."""


def plan_view(plan: TrainingPlan) -> RenderableType:
    """Header, table, decisions and findings. Fits 80 columns, and tells more where there are more."""
    return _page(plan, freeze_table(plan))


def inspect_view(plan: TrainingPlan, phase: int | None = None) -> RenderableType:
    """The plan's page; with `phase` (its index, from 0) the table of that phase alone.

    Raises UsageError when there is no such phase.
    """
    if phase is None:
        return plan_view(plan)
    if not 0 <= phase < len(plan.phases):
        known = ", ".join(f"{index} ({p.name})" for index, p in enumerate(plan.phases))
        raise UsageError(f"the plan has no phase {phase}", remedy=f"choose one of {known}")
    return _page(plan, freeze_table(replace(plan, phases=plan.phases[phase : phase + 1])))


def plan_json(plan: TrainingPlan) -> dict[str, Any]:
    """The same as plain data. Shares lie between 0 and 1; LRs are peaks, null where a stage is frozen."""
    freeze = freeze_table(plan)
    return {
        "backbone": plan.layer_map.backbone,
        "strategy": plan.strategy,
        "stages": [_listed(asdict(row)) for row in freeze.stages],
        "totals": {
            "parameters": freeze.parameters,
            "phases": [
                {"phase": p.name, "trainable": p.trainable, "trainable_share": p.trainable_share}
                for p in freeze.phases
            ],
        },
        "phases": [
            {**_listed(asdict(column)), "plateau": phase.plateau and asdict(phase.plateau)}
            | {"from_features": phase.from_features, "from_features_reason": phase.from_features_reason}
            for column, phase in zip(freeze.phases, plan.phases, strict=True)
        ],
        "decisions": [asdict(decision) for decision in plan.decisions],
        "findings": [asdict(finding) for finding in plan.findings],
    }


def _page(plan: TrainingPlan, freeze: FreezeTable) -> RenderableType:
    notes = _plateau(plan.phases), _decisions(plan), findings_view(plan.findings)
    return Group(plan_header(plan), _table(freeze), *notes)


def _table(freeze: FreezeTable) -> RenderableType:
    if len(freeze.phases) > _MOST_SIDE_BY_SIDE:
        return phase_table(freeze)
    layouts = (stage_table.FULL, stage_table.SHORT, stage_table.SHARES, stage_table.NARROW)
    side_by_side = (stage_table.stage_table(freeze, columns) for columns in layouts)
    return FirstThatFits(*side_by_side, phase_table(freeze))


def _plateau(phases: Iterable[Phase]) -> RenderableType:
    patience = {phase.plateau.patience for phase in phases if phase.plateau}
    if not patience:
        return Group()
    epochs = ", ".join(map(str, sorted(patience)))
    return Text(f"a phase ends sooner after {epochs} epochs without improvement", style=QUIET)


def _decisions(plan: TrainingPlan) -> RenderableType:
    probes = [phase for phase in plan.phases if not phase.trains_backbone]
    decisions = [*plan.decisions, *map(_features, probes)]
    if not decisions:
        return Group()
    lines = [(decision.what, plain(f"{decision.value} - {decision.why}")) for decision in decisions]
    return Group(Text(""), heading("Decided by the plan"), labelled(lines))


def _features(phase: Phase) -> Decision:
    how = "computed once" if phase.from_features else "computed in every epoch"
    return Decision("features", f"{how} in phase {phase.name}", phase.from_features_reason)


def _listed(values: Any) -> Any:
    """Tuples as lists, so that the data equals what JSON gives back."""
    if isinstance(values, dict):
        return {key: _listed(value) for key, value in values.items()}
    return [_listed(value) for value in values] if isinstance(values, (list, tuple)) else values
