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
_BRIEF = (("#", ">"), ("phase", "<"), ("epochs", ">"), ("trainable", ">"), ("LR", "<"), ("BN", "<"))
"""For 60 columns: the LRs in one."""
_MOST_MARKS = 14
"""So many phases go side by side in a grid of 80 columns."""
_NAME_WIDTH = 20
_GAP = 2


def phase_table(freeze: FreezeTable) -> RenderableType:
    """Both tables, one below the other, in 80 columns; in fewer they tell less, and at last in lines that wrap."""
    wide = _phases(freeze, _COLUMNS, short=False, name_width=24)
    narrow = _phases(freeze, _COLUMNS, short=True, name_width=12)
    narrowest = _phases(freeze, [c for c in _COLUMNS if c[0] != "stages"], short=True, name_width=12)
    brief = _phases(freeze, _BRIEF, short=True, name_width=12)
    lines = Group(*(_line(index, phase) for index, phase in enumerate(freeze.phases)))
    return Group(FirstThatFits(wide, narrow, narrowest, brief, lines), _Grids(freeze))


def _line(index: int, phase: PhaseColumn) -> RenderableType:
    """What the table has of a phase, in words."""
    told = (
        f"{numbers.count(phase.trainable)} train ({numbers.share(phase.trainable_share)}), LR {_rates(phase)}"
    )
    epochs = f"{'epoch' if _epochs(phase).isdigit() else 'epochs'} {_epochs(phase)}"
    text = plain(f"{index} {phase.name}, {epochs}: {told}, BN {norm_text(phase.batch_norm)}")
    text.overflow = "fold"
    return text


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
        "LR": _rates(phase),
        "LR low": numbers.rate_range(phase.lr_lowest, phase.lr_lowest),
        "BN": norm_text(phase.batch_norm, short=short),
    }


def _rates(phase: PhaseColumn) -> str:
    """From the lowest to the head's."""
    return numbers.rate_range(phase.lr_lowest, phase.lr_lowest if phase.lr_head is None else phase.lr_head)


def _epochs(phase: PhaseColumn) -> str:
    if phase.start_epoch is None or phase.end_epoch is None:
        return "-"
    return numbers.epochs(phase.start_epoch, phase.end_epoch)


class _Grids:
    """Marks for every phase, as many side by side as there is room for; ASCII where the terminal has no others."""

    def __init__(self, freeze: FreezeTable) -> None:
        self.freeze = freeze

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        at_once = self._at_once(options.max_width)
        legend = f"a column a phase: {_ALL} trains  {_SOME} in part  {_NONE} frozen"
        for start in range(0, len(self.freeze.phases), at_once):
            yield Text("")
            yield self._table(slice(start, start + at_once), options.ascii_only)
            yield Text(legend.translate(_ASCII) if options.ascii_only else legend, style=QUIET)

    def _at_once(self, width: int) -> int:
        names = max(len("stage"), *(min(len(row.name), _NAME_WIDTH) for row in self.freeze.stages))
        counts = max(len("parameters"), len(numbers.count(self.freeze.parameters)))
        mark = len(str(len(self.freeze.phases) - 1)) + _GAP
        return max(1, min(_MOST_MARKS, (width - names - _GAP - counts) // mark))

    def _table(self, shown: slice, ascii_only: bool) -> Table:
        grid = table(footer=True)
        add_columns(grid, [("stage", "<"), ("parameters", ">")])
        add_columns(grid, [(str(index), ">") for index in range(len(self.freeze.phases))[shown]])
        for row in self.freeze.stages:
            marks = [_mark(cell, ascii_only) for cell in row.phases[shown]]
            grid.add_row(plain(shorten(row.name, _NAME_WIDTH)), numbers.count(row.parameters), *marks)
        grid.columns[0].footer = "total"
        grid.columns[1].footer = numbers.count(self.freeze.parameters)
        return grid


def _mark(cell: Cell, ascii_only: bool) -> Text:
    mark = _ALL if cell.trainable_share == 1 else _SOME if cell.trainable else _NONE
    return Text(mark.translate(_ASCII) if ascii_only else mark, style=GOOD if cell.trainable else QUIET)
