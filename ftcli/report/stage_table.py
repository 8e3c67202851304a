"""The plan's table when its phases fit side by side: a row a stage, a block of columns a phase."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ftcli.plans.freeze_table import Cell, FreezeTable, NormCount, PhaseColumn
from ftcli.report import numbers
from ftcli.report.layout import add_columns, table
from ftcli.report.safe_text import plain, shorten
from ftcli.report.style import QUIET

_MODES = {
    (False, False): ("eval", "eval"),
    (False, True): ("eval, affine trained", "eval+aff"),
    (True, True): ("train", "train"),
    (True, False): ("train, affine frozen", "train-aff"),
}
_SHORT_NORMS = {
    "eval+aff": "eval+aff: running statistics kept, gamma and beta trained",
    "train-aff": "train-aff: running statistics updated, gamma and beta frozen",
}
_LONGEST_NAME = 24


@dataclass(frozen=True)
class _Column:
    header: str
    side: str
    cell: Callable[[Cell], str]
    total: Callable[[PhaseColumn], str] = lambda phase: ""


_COUNT = _Column("trainable", ">", lambda c: numbers.count(c.trainable), lambda p: numbers.count(p.trainable))
_SHARE = _Column(
    "share", ">", lambda c: numbers.share(c.trainable_share), lambda p: numbers.share(p.trainable_share)
)
_LR = _Column("peak LR", "<", lambda c: numbers.rate_range(c.lr_low, c.lr_high))
_DECAY = _Column("decay", "<", lambda c: decay_text(c))
_NORM = _Column("BatchNorm", "<", lambda c: norm_text(c.batch_norm))
_SHORT_NORM = _Column("BN", "<", lambda c: norm_text(c.batch_norm, short=True))

FULL = (_COUNT, _SHARE, _LR, _DECAY, _NORM)
SHORT = (_COUNT, _SHARE, _LR, _DECAY, _SHORT_NORM)
SHARES = (_SHARE, _LR, _DECAY, _SHORT_NORM)
NARROW = (_SHARE, _LR, _SHORT_NORM)
"""Without the column of weight decay; a line below tells it."""


def stage_table(freeze: FreezeTable, columns: tuple[_Column, ...]) -> RenderableType:
    """The stages, and each phase under its name; totals below, and a legend where one is due."""
    grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    grid.show_header = True
    grid.add_column(Text(" \n "))
    for phase in freeze.phases:
        grid.add_column(_phase_heading(phase), no_wrap=True)
    blocks = (_phase_block(freeze, index, columns) for index in range(len(freeze.phases)))
    grid.add_row(_stages(freeze), *blocks)
    return Group(grid, *_legend(freeze, columns))


def norm_text(norms: NormCount, *, short: bool = False) -> str:
    """What the BatchNorm layers of a stage do; "-" where there is none, "mixed" where they differ."""
    if not norms.layers:
        return "-"
    if not {norms.updates_stats, norms.trains_affine} <= {0, norms.layers}:
        return "mixed"
    return _MODES[norms.updates_stats > 0, norms.trains_affine > 0][short]


def norm_legend(used: set[str]) -> list[str]:
    """What the short names among `used` stand for."""
    return [f"BN {meaning}" for short, meaning in _SHORT_NORMS.items() if short in used]


def decay_text(cell: Cell) -> str:
    """The decay of the stage's weights; biases and norms have none."""
    return numbers.rate(max(cell.weight_decay)) if cell.weight_decay else "-"


def _stages(freeze: FreezeTable) -> Table:
    stages = table(footer=True)
    add_columns(stages, [("stage", "<"), ("parameters", ">")])
    for row in freeze.stages:
        stages.add_row(plain(shorten(row.name, _LONGEST_NAME)), numbers.count(row.parameters))
    stages.columns[0].footer = "total"
    stages.columns[1].footer = numbers.count(freeze.parameters)
    return stages


def _phase_block(freeze: FreezeTable, index: int, columns: tuple[_Column, ...]) -> Table:
    block = table(footer=True)
    add_columns(block, [(column.header, column.side) for column in columns])
    for column, shown in zip(columns, block.columns, strict=True):
        shown.footer = column.total(freeze.phases[index])
    for row in freeze.stages:
        cell = row.phases[index]
        style = "" if cell.trainable else QUIET
        block.add_row(*(column.cell(cell) for column in columns), style=style)
    return block


def _phase_heading(phase: PhaseColumn) -> Text:
    told = f"{numbers.count(phase.trainable)} train"
    if phase.start_epoch is not None and phase.end_epoch is not None:
        told = f"{numbers.when(phase.start_epoch, phase.end_epoch)}, {told}"
    return plain(shorten(phase.name, _LONGEST_NAME)).append("\n").append(told, f"{QUIET} not bold")


def _legend(freeze: FreezeTable, columns: tuple[_Column, ...]) -> list[Text]:
    cells = [cell for row in freeze.stages for cell in row.phases]
    lines = []
    if _SHORT_NORM in columns:
        lines += norm_legend({norm_text(cell.batch_norm, short=True) for cell in cells})
    if _DECAY not in columns:
        values = sorted({decay_text(cell) for cell in cells if any(cell.weight_decay)})
        lines.append(f"weight decay: {', '.join(values) or 'none'} on the weights that train")
    return [Text(line, style=QUIET) for line in lines]
