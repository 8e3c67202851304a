"""The cells of a table of facts: who is in which group of the optimizer, and whether that is as it should be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ftcli.plans.freeze_facts import FreezeFacts, ParameterFacts
from ftcli.plans.freeze_table import Cell, freeze_table
from ftcli.report import numbers

MARK = "(!)"


@dataclass(frozen=True)
class FactsRow:
    """A stage, layer or parameter in one phase. `share` is of the network's parameters."""

    name: str
    parameters: int
    share: float
    cell: Cell
    as_it_trains: bool
    """In one group of the optimizer what trains, in none what does not."""


def facts_rows(facts: FreezeFacts, whole: int) -> list[FactsRow]:
    """A row for each stage of the facts; `whole` is the number of parameters that the network has."""
    return [
        FactsRow(
            row.name,
            row.parameters,
            row.parameters / whole if whole else 0.0,
            row.phases[0],
            as_it_trains(facts.by_stage[row.name]),
        )
        for row in freeze_table([facts]).stages
    ]


def as_it_trains(parameters: Iterable[ParameterFacts]) -> bool:
    return all(len(p.groups) == int(p.trains) for p in parameters)


def membership_text(row: FactsRow, *, short: bool = False) -> str:
    """ "group 0", "groups 0-3", "none", and a mark where it is not what trains."""
    held = number_ranges(row.cell.groups)
    if not held:
        told = "none"
    elif short:
        told = held
    else:
        told = f"group{'s' if len(row.cell.groups) > 1 else ''} {held}"
    return told if row.as_it_trains else f"{told} {MARK}"


def membership_line(phases: Sequence[FreezeFacts]) -> str:
    """Over all phases: does the optimizer hold what trains, in how many groups, and in which dtype."""
    wrong = [facts.phase for facts in phases if facts.strangers or not as_it_trains(facts.parameters)]
    each = " in each phase" if len(phases) > 1 else ""
    if not wrong:
        told = f"holds{each} just what trains"
    elif len(phases) == 1:
        told = f"does not hold just what trains {MARK}"
    else:
        some = f"{len(wrong)} of {len(phases)} phases" if len(wrong) > 3 else ", ".join(wrong)
        told = f"does not hold just what trains in {some} {MARK}"
    return f"the optimizer {told}; {_group_counts(phases)}; {_dtypes(phases)}"


def number_ranges(values: Sequence[int]) -> str:
    """Ascending numbers: (0, 1, 2, 5) -> "0-2, 5"; the first and the last of many runs."""
    if not values:
        return ""
    breaks = [at for at, (low, high) in enumerate(pairwise(values), start=1) if high != low + 1]
    edges = [0, *breaks, len(values)]
    runs = [(values[start], values[end - 1]) for start, end in pairwise(edges)]
    told = [f"{low}-{high}" if high > low else f"{low}" for low, high in runs]
    return ", ".join(told) if len(told) <= 3 else f"{values[0]}..{values[-1]}"


def _group_counts(phases: Sequence[FreezeFacts]) -> str:
    counts = [facts.num_groups for facts in phases]
    if len(set(counts)) > 3:
        return f"{min(counts)} to {max(counts)} groups"
    told = ", then ".join(numbers.count(count) for count in dict.fromkeys(counts))
    return f"{told} group{'' if told == '1' else 's'}"


def _dtypes(phases: Sequence[FreezeFacts]) -> str:
    return ", ".join(dict.fromkeys(p.dtype for facts in phases for p in facts.parameters)) or "no parameters"
