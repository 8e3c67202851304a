"""The plan's table when it has many phases: a row for each phase, then a grid of stage against phase."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from ftcli.plans.freeze_table import Cell, FreezeTable, PhaseColumn
from ftcli.report import numbers
from ftcli.report.layout import FirstThatFits, add_columns, table
from ftcli.report.safe_text import plain, shorten
from ftcli.report.stage_table import norm_legend, norm_text
from ftcli.report.style import GOOD, QUIET

_ALL, _SOME, _NONE = "●", "◐", "·"
_ASCII = str.maketrans({_ALL: "#", _SOME: "+", _NONE: "."})
_COLUMNS = (
    ("#", ">"),
    ("phase", "<"),
    ("epochs", ">"),
    ("stages", ">"),
    ("trainable", ">"),
    ("share", ">"),
    ("LR head", "<"),
    ("LR low", "<"),
    ("BN", "<"),
)
_MOST_MARKS = 14
"""So many phases go side by side in a grid of 80 columns."""


def phase_table(freeze: FreezeTable) -> RenderableType:
    """Both tables, one below the other, in 80 columns."""
    wide = _phases(freeze, _COLUMNS, short=False, name_width=24)
    narrow = _phases(freeze, _COLUMNS, short=True, name_width=12)
    narrowest = _phases(freeze, [c for c in _COLUMNS if c[0] != "stages"], short=True, name_width=12)
    starts = range(0, len(freeze.phases), _MOST_MARKS)
    return Group(FirstThatFits(wide, narrow, narrowest), *(_Grid(freeze, start) for start in starts))


def _phases(
    freeze: FreezeTable, columns: Iterable[tuple[str, str]], *, short: bool, name_width: int
) -> RenderableType:
    phases, columns = table(), list(columns)
    add_columns(phases, columns)
    for index, phase in enumerate(freeze.phases):
        cells = _cells(index, phase, short, name_width)
        phases.add_row(*(cells[header] for header, _ in columns))
    used = {norm_text(phase.batch_norm, short=True) for phase in freeze.phases} if short else set()
    return Group(phases, *(Text(line, style=QUIET) for line in norm_legend(used)))


def _cells(index: int, phase: PhaseColumn, short: bool, name_width: int) -> dict[str, Text | str]:
    return {
        "#": str(index),
        "phase": plain(shorten(phase.name, name_width)),
        "epochs": _epochs(phase),
        "stages": str(len(phase.stages)),
        "trainable": numbers.count(phase.trainable),
        "share": numbers.share(phase.trainable_share),
        "LR head": numbers.rate_range(phase.lr_head, phase.lr_head),
        "LR low": numbers.rate_range(phase.lr_lowest, phase.lr_lowest),
        "BN": norm_text(phase.batch_norm, short=short),
    }


def _epochs(phase: PhaseColumn) -> str:
    if phase.start_epoch is None or phase.end_epoch is None:
        return "-"
    return numbers.epochs(phase.start_epoch, phase.end_epoch)


class _Grid:
    """Marks for the phases from `start` on; ASCII where the terminal has no others."""

    def __init__(self, freeze: FreezeTable, start: int) -> None:
        self.freeze = freeze
        self.shown = slice(start, start + _MOST_MARKS)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text("")
        yield self._table(options.ascii_only)
        legend = f"a column a phase: {_ALL} trains  {_SOME} in part  {_NONE} frozen"
        yield Text(legend.translate(_ASCII) if options.ascii_only else legend, style=QUIET)

    def _table(self, ascii_only: bool) -> Table:
        grid = table(footer=True)
        add_columns(grid, [("stage", "<"), ("parameters", ">")])
        add_columns(grid, [(str(index), ">") for index in range(len(self.freeze.phases))[self.shown]])
        for row in self.freeze.stages:
            marks = [_mark(cell, ascii_only) for cell in row.phases[self.shown]]
            grid.add_row(plain(shorten(row.name, 20)), numbers.count(row.parameters), *marks)
        grid.columns[0].footer = "total"
        grid.columns[1].footer = numbers.count(self.freeze.parameters)
        return grid


def _mark(cell: Cell, ascii_only: bool) -> Text:
    mark = _ALL if cell.trainable_share == 1 else _SOME if cell.trainable else _NONE
    return Text(mark.translate(_ASCII) if ascii_only else mark, style=GOOD if cell.trainable else QUIET)
