"""A TrainingPlan as a page and as JSON: what trains, when, how fast, under which BatchNorm mode."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ftcli.findings import Finding
from ftcli.plans.forecast import Forecast
from ftcli.plans.freeze_facts import FreezeFacts, plan_facts
from ftcli.plans.freeze_table import freeze_table
from ftcli.plans.inputs import noun_of
from ftcli.plans.phase import Phase
from ftcli.plans.training_plan import Decision, TrainingPlan
from ftcli.report import numbers
from ftcli.report.findings import findings_view
from ftcli.report.freeze_json import listed
from ftcli.report.freeze_views import optimizer_line, phases_table
from ftcli.report.layout import heading, labelled
from ftcli.report.plan_header import plan_header
from ftcli.report.safe_text import plain
from ftcli.report.style import QUIET


def plan_view(plan: TrainingPlan, forecast: Sequence[Forecast] = ()) -> RenderableType:
    """Header, table, decisions, what is expected and findings. Fits 80 columns, and tells more where there are more."""
    return plan_page(plan, plan_facts(plan), plan.findings, forecast=forecast)


def plan_page(
    plan: TrainingPlan,
    phases: Sequence[FreezeFacts],
    findings: Iterable[Finding],
    body: RenderableType | None = None,
    forecast: Sequence[Forecast] = (),
) -> RenderableType:
    """The plan's page around a table of its facts; by itself of stages against phases."""
    shown = Group(phases_table(freeze_table(phases)), optimizer_line(phases)) if body is None else body
    notes = _plateau(plan.phases), _decisions(plan), _expected(plan, forecast), findings_view(findings)
    return Group(plan_header(plan), shown, *notes)


def plan_json(
    plan: TrainingPlan,
    phases: Sequence[FreezeFacts] | None = None,
    findings: Iterable[Finding] | None = None,
) -> dict[str, Any]:
    """The same as plain data. Shares lie between 0 and 1; LRs are peaks, null where a stage is frozen.

    `phases` and `findings` are the plan's own unless more is known.
    """
    freeze = freeze_table(plan_facts(plan) if phases is None else phases)
    return {
        "backbone": plan.layer_map.backbone,
        "strategy": plan.strategy,
        "stages": [listed(asdict(row)) for row in freeze.stages],
        "totals": {
            "parameters": freeze.parameters,
            "phases": [
                {"phase": p.name, "trainable": p.trainable, "trainable_share": p.trainable_share}
                for p in freeze.phases
            ],
        },
        "phases": [
            {**listed(asdict(column)), "plateau": phase.plateau and asdict(phase.plateau)}
            | {"prefix": asdict(phase.prefix)}
            for column, phase in zip(freeze.phases, plan.phases, strict=True)
        ],
        "decisions": [asdict(decision) for decision in plan.decisions],
        "findings": [asdict(finding) for finding in (plan.findings if findings is None else findings)],
    }


def _plateau(phases: Iterable[Phase]) -> RenderableType:
    patience = {phase.plateau.patience for phase in phases if phase.plateau}
    if not patience:
        return Group()
    epochs = ", ".join(map(str, sorted(patience)))
    return Text(f"a phase ends sooner after {epochs} epochs without improvement", style=QUIET)


def _decisions(plan: TrainingPlan) -> RenderableType:
    frozen = [phase for phase in plan.phases if phase.prefix.boundary]
    decisions = [*plan.decisions, *(_prefix(plan, phase) for phase in frozen)]
    if not decisions:
        return Group()
    lines = [(decision.what, plain(f"{decision.value} - {decision.why}")) for decision in decisions]
    return Group(Text(""), heading("Decided by the plan"), labelled(lines))


def _expected(plan: TrainingPlan, forecast: Sequence[Forecast]) -> RenderableType:
    """ "expected  phase top: 310 images/s, 4.2 s an epoch, after 19 s for the frozen part"."""
    if not forecast:
        return Group()
    return Group(
        Text(""), heading("Expected on this machine"), labelled((f.phase, _pace(plan, f)) for f in forecast)
    )


def _pace(plan: TrainingPlan, forecast: Forecast) -> Text:
    before = f", after {numbers.duration(forecast.before_seconds)} for the frozen part"
    noun = noun_of(plan.preprocessing)
    pace = f"{forecast.images_per_second:,.0f} {noun}s/s, {numbers.duration(forecast.epoch_seconds)} an epoch"
    return plain(pace + (before if forecast.before_seconds else ""))


def _prefix(plan: TrainingPlan, phase: Phase) -> Decision:
    """What lies below the first layer that trains: "computed once below layer4 in phase top, 1.2 GB"."""
    prefix = phase.prefix
    stage = plan.layer_map.layers[prefix.boundary].stage
    how = "computed once" if prefix.kept else "computed in every epoch"
    size = ""
    if prefix.kept and prefix.cost is not None:
        size = f", {numbers.size(prefix.views * prefix.cost.bytes_per_image * plan.num_train)}"
    return Decision("frozen part", f"{how} below {stage} in phase {phase.name}{size}", prefix.reason)
