"""The views of what is frozen: one phase or a living model, several phases, and what changes between them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from ftcli.plans.freeze_facts import FreezeFacts
from ftcli.plans.freeze_table import FreezeTable, freeze_table
from ftcli.report import numbers, stage_table
from ftcli.report.freeze_cells import MARK, membership_line
from ftcli.report.freeze_depth import Depth, at_depth, matching
from ftcli.report.freeze_diff import changes, diff_lines, diff_view
from ftcli.report.freeze_grid import FreezeGrid
from ftcli.report.freeze_parameters import parameters_table
from ftcli.report.freeze_rows import rows_table
from ftcli.report.layout import FirstThatFits
from ftcli.report.phase_table import phase_table
from ftcli.report.style import CAUTION, QUIET

__all__ = ["Depth", "changes", "diff_lines", "diff_view", "facts_view", "phases_table", "phases_view"]

_MOST_SIDE_BY_SIDE = 3
"""Phases beside each other on the widest of terminals."""
_NO_OPTIMIZER = "no optimizer given: membership and LRs are not known"


def facts_view(facts: FreezeFacts, depth: Depth = "stage", pattern: str | None = None) -> RenderableType:
    """One phase, or a living model, and whether the optimizer holds what trains.

    With `pattern` the parameters that match it alone; raises UsageError where none does.
    """
    shown = facts if pattern is None else matching(facts, pattern)
    if depth == "parameter":
        shown_table = parameters_table(shown)
    else:
        shown_table = rows_table(at_depth(shown, depth), facts.numel(), depth)
    found = () if pattern is None else (_found(facts, shown, pattern),)
    return Group(*found, shown_table, optimizer_line([facts]))


def phases_view(
    phases: Sequence[FreezeFacts], depth: Depth = "stage", pattern: str | None = None
) -> RenderableType:
    """Several phases: stages with all that there is to tell, layers and parameters with their LRs."""
    if len(phases) == 1:
        return facts_view(phases[0], depth, pattern)
    shown = phases if pattern is None else [matching(facts, pattern) for facts in phases]
    found = () if pattern is None else (_found(phases[0], shown[0], pattern),)
    if depth == "stage":
        shown_table = phases_table(freeze_table([at_depth(facts, depth) for facts in shown]))
    else:
        shown_table = FreezeGrid([at_depth(facts, depth) for facts in shown], depth)
    return Group(*found, shown_table, optimizer_line(phases))


def phases_table(freeze: FreezeTable) -> RenderableType:
    """Stages against phases: side by side where that fits, else a list of phases and a grid."""
    if len(freeze.phases) > _MOST_SIDE_BY_SIDE:
        return phase_table(freeze)
    layouts = (stage_table.FULL, stage_table.SHORT, stage_table.SHARES, stage_table.NARROW)
    side_by_side = (stage_table.stage_table(freeze, columns) for columns in layouts)
    return FirstThatFits(*side_by_side, phase_table(freeze))


def optimizer_line(phases: Sequence[FreezeFacts]) -> Text:
    if not phases[0].optimizer:
        return Text(_NO_OPTIMIZER, style=QUIET)
    line = membership_line(phases)
    return Text(line, style=CAUTION if MARK in line else QUIET)


def _found(facts: FreezeFacts, shown: FreezeFacts, pattern: str) -> Text:
    told = f"{len(shown.parameters)} of {len(facts.parameters)} tensors match {pattern!r}: "
    counts = f"{numbers.count(shown.numel())} of {numbers.count(facts.numel())} parameters"
    return Text(told + counts, style=QUIET)
