"""Several phases at once, deeper than stages: a row a layer or a parameter, a column a phase, its peak LR in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ftcli.plans.freeze_facts import FreezeFacts
from ftcli.plans.freeze_table import Cell, FreezeTable, freeze_table
from ftcli.report import numbers
from ftcli.report.layout import add_columns, table
from ftcli.report.safe_text import plain, shorten
from ftcli.report.style import QUIET

_GAP = 2
_PART = "~"
_BOUNDLESS = 10_000


class FreezeGrid:
    """Phases that do not fit beside each other are told in words, or come in blocks, one below the other."""

    def __init__(self, phases: Sequence[FreezeFacts], header: str) -> None:
        self.header = header
        self.freeze: FreezeTable = freeze_table(phases)
        self.cells = [[_cell(cell) for cell in row.phases] for row in self.freeze.stages]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        name_width = self._name_width(options.max_width)
        blocks = list(self._blocks(options.max_width, name_width))
        runs = self._runs_that_fit(console, options) if len(blocks) > 1 else None
        if runs:
            yield runs
        else:
            for number, block in enumerate(blocks):
                yield from [Text("")] if number else []
                yield self._table(block, name_width)
        yield from self._legend(columns=runs is None)

    def _runs_that_fit(self, console: Console, options: ConsoleOptions) -> Table | None:
        """With names whole if that can be."""
        for name_width in (options.max_width, self._name_width(options.max_width)):
            runs = self._runs(name_width)
            if _width(console, options, runs) <= options.max_width:
                return runs
        return None

    def _runs(self, name_width: int) -> Table:
        """In words instead of columns: short where rows keep their LR from phase to phase."""
        grid = table()
        add_columns(grid, [(self.header, "<"), ("parameters", ">"), ("phases, peak LR", "<")])
        for row, cells in zip(self.freeze.stages, self.cells, strict=True):
            told = _runs_text(cells)
            name = plain(shorten(row.name, name_width))
            grid.add_row(name, numbers.count(row.parameters), told, style=QUIET if told == "-" else "")
        return grid

    def _name_width(self, width: int) -> int:
        longest = max((len(row.name) for row in self.freeze.stages), default=0)
        return max(len(self.header), min(longest, width // 2))

    def _blocks(self, width: int, name_width: int) -> Iterator[range]:
        """Runs of phases that fit; of about the same length, so that none stands alone at the end."""
        phases = len(self.freeze.phases)
        counts = (len(numbers.count(row.parameters)) for row in self.freeze.stages)
        left = width - name_width - _GAP - max(len("parameters"), *counts)
        widest = max(max((len(cell) for row in self.cells for cell in row), default=1), len(str(phases)))
        most = max(1, left // (widest + _GAP))
        blocks = -(-phases // most)
        each = -(-phases // blocks)
        for start in range(0, phases, each):
            yield range(start, min(start + each, phases))

    def _table(self, block: range, name_width: int) -> Table:
        grid = table()
        add_columns(grid, [(self.header, "<"), ("parameters", ">"), *((str(index), "<") for index in block)])
        for row, cells in zip(self.freeze.stages, self.cells, strict=True):
            marks = (Text(cells[index], style=QUIET if cells[index] == "-" else "") for index in block)
            grid.add_row(plain(shorten(row.name, name_width)), numbers.count(row.parameters), *marks)
        return grid

    def _legend(self, *, columns: bool) -> Iterator[Text]:
        part = any(cell.startswith(_PART) for row in self.cells for cell in row)
        told = ["a column a phase: its peak LR, - frozen"] if columns else []
        told += [f"{_PART} trains in part"] if part else []
        if told:
            yield Text(", ".join(told), style=QUIET)
        phases = (f"{index} {shorten(phase.name, 24)}" for index, phase in enumerate(self.freeze.phases))
        yield Text(f"phases: {', '.join(phases)}", style=QUIET)


def _runs_text(cells: Sequence[str]) -> str:
    """ "2-5 1e-4, 6 2e-4": phases in a row with one LR, and that LR."""
    told, start = [], 0
    for cell, same in groupby(cells):
        end = start + len(list(same))
        if cell != "-":
            told.append(f"{numbers.epochs(start, end)} at {cell}")
        start = end
    return ", ".join(told) or "-"


def _width(console: Console, options: ConsoleOptions, shown: Table) -> int:
    """What it takes to show the table whole."""
    return Measurement.get(console, options.update(width=_BOUNDLESS), shown).maximum


def _cell(cell: Cell) -> str:
    """The highest of its LRs."""
    if not cell.trainable:
        return "-"
    rate = numbers.rate_range(cell.lr_high, cell.lr_high)
    return rate if cell.trainable_share == 1 else f"{_PART}{rate}"
