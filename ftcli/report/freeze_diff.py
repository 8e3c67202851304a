"""What changes from one phase to the next: as data, and in a few lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ftcli.plans.freeze_facts import FreezeFacts, ParameterFacts
from ftcli.plans.freeze_table import Cell, freeze_table
from ftcli.report import numbers
from ftcli.report.layout import heading, labelled
from ftcli.report.safe_text import plain
from ftcli.report.stage_table import decay_text, norm_text
from ftcli.report.style import QUIET

_MOST_NAMES = 6


@dataclass(frozen=True)
class Change:
    """One row (a stage, a layer or a parameter) that is not as it was. `begins` and `stops` count parameters."""

    name: str
    parameters: int
    begins: int
    stops: int
    before: Cell
    after: Cell

    def to_dict(self) -> dict[str, Any]:
        said = {"name": self.name, "parameters": self.parameters, "begins": self.begins, "stops": self.stops}
        return {**said, "before": asdict(self.before), "after": asdict(self.after)}

    @property
    def stays(self) -> bool:
        """Trains before and after, so that its LR and decay can be compared."""
        return bool(self.before.trainable and self.after.trainable)


def changes(before: FreezeFacts, after: FreezeFacts) -> tuple[Change, ...]:
    """The rows (stages of these facts) that differ, from input to output. Both are of the same network."""
    found = []
    for row in freeze_table([before, after]).stages:
        old, new = _trained(before.by_stage[row.name]), _trained(after.by_stage[row.name])
        begins, stops = _count(new.keys() - old, new), _count(old.keys() - new, old)
        change = Change(row.name, row.parameters, begins, stops, *row.phases)
        if begins or stops or any(text(change) for _, text in _ASPECTS):
            found.append(change)
    return tuple(found)


def diff_view(before: FreezeFacts, after: FreezeFacts) -> RenderableType:
    """A line for what changes in the same way."""
    found = changes(before, after)
    title = heading(f"{plain(before.phase)} -> {plain(after.phase)}")
    if after.epochs:
        title.append(f"  {numbers.when(*after.epochs)}", f"{QUIET} not bold")
    if not found:
        return Group(title, Text("  nothing changes"))
    return Group(title, labelled((label, plain(text)) for label, text in _lines(found)))


def _trained(parameters: Iterable[ParameterFacts]) -> dict[str, int]:
    return {p.name: p.numel for p in parameters if p.trains}


def _count(names: Iterable[str], numel: dict[str, int]) -> int:
    return sum(numel[name] for name in names)


def _begins(change: Change) -> str:
    cell = change.after
    rate = numbers.rate_range(cell.lr_low, cell.lr_high)
    return f"at {rate}" if change.begins else ""


def _stops(change: Change) -> str:
    return "stops" if change.stops else ""


def _rate(change: Change) -> str:
    old, new = (numbers.rate_range(c.lr_low, c.lr_high) for c in (change.before, change.after))
    return f"{old} -> {new}" if change.stays and not change.begins and old != new else ""


def _decay(change: Change) -> str:
    old, new = decay_text(change.before), decay_text(change.after)
    return f"{old} -> {new}" if change.stays and old != new else ""


def _norm(change: Change) -> str:
    old, new = norm_text(change.before.batch_norm), norm_text(change.after.batch_norm)
    return f"{old} -> {new}" if change.before.batch_norm != change.after.batch_norm else ""


_ASPECTS: tuple[tuple[str, Callable[[Change], str]], ...] = (
    ("begins to train", _begins),
    ("stops to train", _stops),
    ("LR", _rate),
    ("weight decay", _decay),
    ("BatchNorm", _norm),
)


def _lines(found: Sequence[Change]) -> Iterator[tuple[str, str]]:
    """Labels with what they are of; the label is written once."""
    for label, text in _ASPECTS:
        groups: dict[str, list[Change]] = {}
        for change in found:
            if told := text(change):
                groups.setdefault(told, []).append(change)
        for number, (told, same) in enumerate(groups.items()):
            yield ("" if number else label), _line(label, told, same)


def _line(label: str, told: str, same: Sequence[Change]) -> str:
    names = _names([change.name for change in same])
    whole = sum(change.parameters for change in same)
    if label == "begins to train":
        return f"{names} {told}, {_part(sum(change.begins for change in same), whole)}"
    if label == "stops to train":
        return f"{names}, {_part(sum(change.stops for change in same), whole)}"
    return f"{names}: {told}"


def _names(names: Sequence[str]) -> str:
    """All of them, or the first and the last of many."""
    if len(names) <= _MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[:2])} ... {names[-1]} ({len(names):,} in all)"


def _part(some: int, whole: int) -> str:
    of = "" if some == whole else f" of {numbers.count(whole)}"
    return f"{numbers.count(some)}{of} parameters"


def diff_lines(phases: Sequence[FreezeFacts]) -> RenderableType:
    """Every phase against the one before it."""
    views: list[RenderableType] = []
    for before, after in zip(phases, phases[1:], strict=False):
        views += [Text(""), diff_view(before, after)]
    return Group(*views[1:])
