"""One phase, or a living model: a row a parameter, under its layer where the page is narrow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ftcli.plans.freeze_facts import FreezeFacts, NormFacts, ParameterFacts
from ftcli.plans.freeze_table import NormCount
from ftcli.report import numbers
from ftcli.report.freeze_cells import MARK, as_it_trains, number_ranges
from ftcli.report.freeze_depth import norm_of
from ftcli.report.layout import FirstThatFits, add_columns, table
from ftcli.report.safe_text import plain, shorten
from ftcli.report.stage_table import norm_legend, norm_text
from ftcli.report.style import CAUTION, QUIET, STRONG

_NAME_WIDTHS = (56, 48, 40, 34, 28)
"""The most that a name takes under that of its layer; the last with the fewest columns, in 80."""


@dataclass(frozen=True)
class _Row:
    parameter: ParameterFacts
    norm: NormFacts | None
    has_optimizer: bool

    @property
    def odd(self) -> bool:
        return self.has_optimizer and not as_it_trains([self.parameter])

    def trains(self) -> str:
        """In one word or two: "group 3", "frozen", and what should not be: "in no group (!)"."""
        p = self.parameter
        if not self.has_optimizer or (not p.groups and not p.trains):
            return "yes" if p.trains else "frozen"
        if not p.groups:
            return f"no group {MARK}"
        told = f"group{'s' if len(p.groups) > 1 else ''} {number_ranges(p.groups)}"
        return told if not self.odd else f"{told} {MARK}" if p.trains else f"frozen, {told} {MARK}"

    def mode(self, *, short: bool = True) -> str:
        if self.norm is None:
            return ""
        return norm_text(NormCount(1, self.norm.updates_stats, self.norm.trains_affine), short=short)


@dataclass(frozen=True)
class _Column:
    header: str
    cell: Callable[[_Row], str]


_SHAPE = _Column("shape", lambda row: "x".join(map(str, row.parameter.shape)) or "scalar")
_TRAINS = _Column("trains", _Row.trains)
_LR = _Column("LR", lambda row: numbers.rate_range(row.parameter.lr, row.parameter.lr))
_PEAK = _Column("peak LR", _LR.cell)
_DECAY = _Column("decay", lambda row: _decay(row.parameter))
_NORM = _Column("BatchNorm", lambda row: row.mode(short=False))
_SHORT_NORM = _Column("BN", _Row.mode)
_DTYPE = _Column("dtype", lambda row: row.parameter.dtype)


def parameters_table(facts: FreezeFacts) -> RenderableType:
    """Names whole where they fit; else under their layers, and at worst with their middle left out."""
    norms = norm_of(facts)
    rows = [_Row(p, norms.get(p.name), facts.optimizer is not None) for p in facts.parameters]
    rate = _PEAK if facts.epochs else _LR
    rates = (rate, _DECAY) if facts.optimizer else ()
    full = (_SHAPE, _TRAINS, *rates, *((_NORM,) if norms else ()), _DTYPE)
    same = {column for column in (_DECAY, _DTYPE) if _told_below(column, rows)}
    brief = tuple(_SHORT_NORM if column is _NORM else column for column in full if column not in same)
    least = tuple(column for column in brief if column not in (_DECAY, _DTYPE))
    headed = [_under_layers(facts, rows, brief, width) for width in _NAME_WIDTHS]
    headed += [_under_layers(facts, rows, least, width) for width in _NAME_WIDTHS]
    tables = FirstThatFits(_listed(rows, full), _listed(rows, brief), *headed)
    return Group(tables, *(Text(line, style=QUIET) for line in _notes(facts, rows)))


def _listed(rows: Sequence[_Row], columns: Sequence[_Column]) -> RenderableType:
    grid = _grid("parameter", columns)
    for row in rows:
        _add(grid, row, columns, row.parameter.name)
    return Group(grid, *_below(rows, columns))


def _under_layers(
    facts: FreezeFacts, rows: Sequence[_Row], columns: Sequence[_Column], width: int
) -> RenderableType:
    """A line for each layer, and below it what its parameters are called within it."""
    grid = _grid("layer, parameter", columns)
    names = {layer.index: layer.name for layer in facts.layers}
    for layer, of_layer in groupby(rows, key=lambda row: row.parameter.layer):
        listed = list(of_layer)
        prefix = _prefix([row.parameter.name for row in listed])
        grid.add_row(plain(shorten(prefix.rstrip(".") or names[layer], width + 2), STRONG))
        for row in listed:
            name = row.parameter.name.removeprefix(prefix)
            _add(grid, row, columns, f"  {shorten(name, width)}")
    return Group(grid, *_below(rows, columns))


def _grid(header: str, columns: Sequence[_Column]) -> Table:
    grid = table()
    add_columns(grid, [(header, "<"), *((column.header, "<") for column in columns)])
    return grid


def _add(grid: Table, row: _Row, columns: Sequence[_Column], name: str) -> None:
    cells = (
        Text(column.cell(row), style=CAUTION if column is _TRAINS and row.odd else "") for column in columns
    )
    grid.add_row(plain(name), *cells, style="" if row.parameter.trains else QUIET)


def _prefix(names: Sequence[str]) -> str:
    """The modules that all the names begin with, with the dot after them."""
    parts = [name.split(".")[:-1] for name in names]
    shared = []
    for at_same_depth in zip(*parts, strict=False):
        if len(set(at_same_depth)) > 1:
            break
        shared.append(f"{at_same_depth[0]}.")
    return "".join(shared)


def _decay(p: ParameterFacts) -> str:
    return "-" if p.weight_decay is None else numbers.rate(p.weight_decay)


def _told_below(column: _Column, rows: Sequence[_Row]) -> bool:
    """Whether a line can say it of all rows: one dtype; one decay, on weights and on nothing else."""
    if column is _DTYPE:
        return len({row.parameter.dtype for row in rows}) == 1
    held = [row.parameter for row in rows if row.parameter.weight_decay is not None]
    regular = all(bool(p.weight_decay) == p.decays for p in held)
    return len({p.weight_decay for p in held if p.weight_decay}) < 2 and (
        regular or not any(p.weight_decay for p in held)
    )


def _below(rows: Sequence[_Row], columns: Sequence[_Column]) -> Iterator[Text]:
    lines = norm_legend({row.mode() for row in rows}) if _SHORT_NORM in columns else []
    has_optimizer = any(row.has_optimizer for row in rows)
    if has_optimizer and _DECAY not in columns:
        values = sorted({row.parameter.weight_decay for row in rows if row.parameter.weight_decay})
        on = " on the weights that train, none on biases and norms" if _told_below(_DECAY, rows) else ""
        told = f"{', '.join(map(numbers.rate, values))}{on}" if values else "none"
        lines.append(f"weight decay: {told}")
    if _DTYPE not in columns and not has_optimizer:  # else the line on the optimizer names it
        lines.append(f"parameters in {', '.join(dict.fromkeys(row.parameter.dtype for row in rows))}")
    yield from (Text(line, style=QUIET) for line in lines)


def _notes(facts: FreezeFacts, rows: Sequence[_Row]) -> Iterator[str]:
    """Tensors with several names, and several tensors over one memory."""
    tied: Mapping[str, tuple[str, ...]] = {
        row.parameter.name: row.parameter.other_names for row in rows if row.parameter.other_names
    }
    for name, others in tied.items():
        yield plain(f"tied: {name} is also {', '.join(others)}").plain
    shown = {row.parameter.name for row in rows}
    for names in facts.shared:
        if shown & set(names):
            yield plain(f"one memory: {', '.join(names)}").plain
