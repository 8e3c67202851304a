"""The pages and the JSON of `ftcli inspect-freeze`: what was found out, and as much of it as was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ftcli.errors import UsageError
from ftcli.findings import Finding
from ftcli.plans.freeze_facts import FreezeFacts
from ftcli.plans.training_plan import TrainingPlan
from ftcli.report import numbers
from ftcli.report.findings import findings_view
from ftcli.report.freeze_depth import Depth, at_depth, matching
from ftcli.report.freeze_json import diff_json, layers_json, parameters_json
from ftcli.report.freeze_report import FreezeReport
from ftcli.report.freeze_views import diff_lines, facts_view, phases_view
from ftcli.report.layout import heading, labelled
from ftcli.report.plan_table import plan_json, plan_page
from ftcli.report.safe_text import listed, plain
from ftcli.report.style import QUIET

_PHASES_WIDTH = 200


@dataclass(frozen=True)
class Question:
    """What to show of a subject; nothing asked is the whole plan."""

    phase: str | None = None
    """Its index from 0, or its name."""
    depth: Depth | None = None
    pattern: str | None = None
    diff: bool = False

    @property
    def is_plain(self) -> bool:
        return self == Question()

    @property
    def shown_depth(self) -> Depth:
        return self.depth or ("stage" if self.pattern is None else "parameter")


@dataclass(frozen=True)
class Subject:
    """A plan, a run or a model file, and what is known of it. `notes` stand above it: "finished: 7 epochs"."""

    name: str
    phases: tuple[FreezeFacts, ...]
    findings: tuple[Finding, ...]
    plan: TrainingPlan | None = None
    notes: tuple[str, ...] = ()


def freeze_page(subject: Subject, asked: Question) -> RenderableType:
    """Raises UsageError for a phase or parameters that there are not."""
    about = _about(subject)
    if asked.diff:
        pair = _compared(subject, asked)
        told = Group(_title(subject), Text(""), diff_lines(pair))
        return Group(*about, told, findings_view(subject.findings))
    body = None if asked.is_plain else _body(subject, asked)
    if subject.plan is not None:
        return Group(*about, plan_page(subject.plan, subject.phases, subject.findings, body))
    return Group(*about, body or phases_view(subject.phases), findings_view(subject.findings))


def freeze_json(subject: Subject, asked: Question) -> dict[str, Any]:
    """Raises UsageError for a phase or parameters that there are not. With a filter only what matches is counted."""
    numbers_of = _chosen(subject, asked)
    phases = [_filtered(subject.phases[number], asked) for number in numbers_of]
    told = _plan_json(subject, numbers_of, phases)
    for facts, phase in zip(phases, told["phases"], strict=True):
        if asked.shown_depth == "layer":
            phase["layers"] = layers_json(facts)
        if asked.shown_depth == "parameter":
            phase["parameters"] = parameters_json(facts)
    if asked.diff:
        pairs = zip(compared := _compared(subject, asked), compared[1:], strict=False)
        told["changes"] = [diff_json(before, after) for before, after in pairs]
    return told


def _plan_json(subject: Subject, chosen: Sequence[int], phases: Sequence[FreezeFacts]) -> dict[str, Any]:
    about = {"subject": subject.name, "notes": list(subject.notes)}
    if subject.plan is None:
        return about | FreezeReport(subject.name, tuple(phases), subject.findings).to_dict()
    plan = replace(subject.plan, phases=tuple(subject.plan.phases[number] for number in chosen))
    return about | plan_json(plan, phases, subject.findings)


def _body(subject: Subject, asked: Question) -> RenderableType:
    if asked.phase is None:
        return phases_view(subject.phases, asked.shown_depth, asked.pattern)
    number = phase_number(subject, asked.phase)
    facts = subject.phases[number]
    title = heading("Phase ").append(f"{number}, ").append_text(plain(facts.phase))
    if facts.epochs:
        title.append(f"  {numbers.when(*facts.epochs)}", f"{QUIET} not bold")
    return Group(title, Text(""), facts_view(facts, asked.shown_depth, asked.pattern))


def phase_number(subject: Subject, wanted: str) -> int:
    """The place of a phase that is named by its index or its name. Raises UsageError when there is none."""
    names = [facts.phase for facts in subject.phases]
    if wanted.isdecimal() and int(wanted) < len(names):
        return int(wanted)
    if wanted in names:
        return names.index(wanted)
    known = listed([f"{index} ({name})" for index, name in enumerate(names)], _PHASES_WIDTH)
    raise UsageError(f"{subject.name} has no phase {wanted}", remedy=f"choose one of {known}")


def _chosen(subject: Subject, asked: Question) -> list[int]:
    if asked.phase is None:
        return list(range(len(subject.phases)))
    return [phase_number(subject, asked.phase)]


def _compared(subject: Subject, asked: Question) -> list[FreezeFacts]:
    """The phases to compare, each with the next, of what was asked for."""
    if len(subject.phases) == 1:
        what = f"--diff compares phases, and {subject.name} has only one"
        raise UsageError(what, remedy="show it without --diff")
    phases = list(subject.phases)
    if asked.phase is not None:
        number = phase_number(subject, asked.phase)
        if number == 0:
            remedy = "give --phase 1 or a later one, or --diff alone"
            raise UsageError(f"phase 0 ({phases[0].phase}) is the first: it follows none", remedy=remedy)
        phases = phases[number - 1 : number + 1]
    return [at_depth(_filtered(facts, asked), asked.shown_depth) for facts in phases]


def _filtered(facts: FreezeFacts, asked: Question) -> FreezeFacts:
    return facts if asked.pattern is None else matching(facts, asked.pattern)


def _title(subject: Subject) -> RenderableType:
    plan = subject.plan
    if plan is None:
        return plain(subject.name)
    return plain(f"{plan.layer_map.backbone}, {plan.strategy}, {len(plan.phases)} phases", QUIET)


def _about(subject: Subject) -> Iterator[RenderableType]:
    """What was inspected, and how that ended, where there is more to say than a plan says itself."""
    if not subject.notes:
        return
    lines = [("model" if subject.plan is None else "run", subject.name)]
    for note in subject.notes:
        label, colon, text = note.partition(": ")
        lines.append((label, text) if colon and subject.plan else ("", note))
    yield labelled((label, plain(text)) for label, text in lines)
    yield Text("")
