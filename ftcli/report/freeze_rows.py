"""One phase, or a living model: a row a stage or a layer, with the four facts of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from ftcli.plans.freeze_facts import FreezeFacts
from ftcli.report import numbers
from ftcli.report.freeze_cells import FactsRow, facts_rows, membership_text
from ftcli.report.layout import FirstThatFits, add_columns, table
from ftcli.report.safe_text import plain, shorten
from ftcli.report.stage_table import decay_text, norm_legend, norm_text
from ftcli.report.style import CAUTION, QUIET


@dataclass(frozen=True)
class _Column:
    header: str
    side: str
    cell: Callable[[FactsRow], str]
    of_optimizer: bool = False


_COUNT = _Column("parameters", ">", lambda r: numbers.count(r.parameters))
_SHARE = _Column("share", ">", lambda r: numbers.share(r.share))
_TRAINS = _Column("trains", ">", lambda r: numbers.share(r.cell.trainable_share))
_MEMBER = _Column("optimizer", "<", membership_text, of_optimizer=True)
_GROUP = _Column("group", "<", lambda r: membership_text(r, short=True), of_optimizer=True)
_LR = _Column("LR", "<", lambda r: numbers.rate_range(r.cell.lr_low, r.cell.lr_high), of_optimizer=True)
_DECAY = _Column("decay", "<", lambda r: decay_text(r.cell), of_optimizer=True)
_NORM = _Column("BatchNorm", "<", lambda r: norm_text(r.cell.batch_norm))
_SHORT_NORM = _Column("BN", "<", lambda r: norm_text(r.cell.batch_norm, short=True))
_DTYPE = _Column("dtype", "<", lambda r: ", ".join(r.cell.dtypes) or "-")

_FULL = (_COUNT, _SHARE, _TRAINS, _MEMBER, _LR, _DECAY, _NORM, _DTYPE)
_SHORT = (_COUNT, _SHARE, _TRAINS, _MEMBER, _LR, _DECAY, _SHORT_NORM, _DTYPE)
_COMPACT = (_COUNT, _TRAINS, _GROUP, _LR, _DECAY, _SHORT_NORM, _DTYPE)
_NARROWEST = (_COUNT, _TRAINS, _GROUP, _LR, _SHORT_NORM)


def rows_table(facts: FreezeFacts, whole: int, header: str) -> RenderableType:
    """`header` names what a row is. The narrower the page, the more goes into lines below the table."""
    rows = facts_rows(facts, whole)
    same = [column for column in (_DECAY, _DTYPE) if len(_values(column, rows)) < 2]
    brief = tuple(column for column in _SHORT if column not in same)
    compact = tuple(column for column in _COMPACT if column not in same)
    layouts = ((_FULL, 40), (brief, 32), (compact, 24), (_NARROWEST, 14))
    return FirstThatFits(*(_layout(facts, whole, header, columns, width) for columns, width in layouts))


def _layout(
    facts: FreezeFacts, whole: int, header: str, columns: Sequence[_Column], width: int
) -> RenderableType:
    rows = facts_rows(facts, whole)
    shown = [column for column in columns if _has_any(column, facts)]
    grid = table(footer=True)
    add_columns(grid, [(header, "<"), *((_header(column, facts), column.side) for column in shown)])
    for row in rows:
        cells = (Text(column.cell(row), style=_style(column, row)) for column in shown)
        grid.add_row(plain(shorten(row.name, width)), *cells, style="" if row.cell.trainable else QUIET)
    footers = ("total", *(_total(column, rows, whole) for column in shown))
    for footer, to in zip(footers, grid.columns, strict=True):
        to.footer = footer
    return Group(grid, *(Text(line, style=QUIET) for line in _below(facts, rows, shown)))


def _has_any(column: _Column, facts: FreezeFacts) -> bool:
    """Nothing is told of an optimizer that was not given, or of BatchNorm where there is none."""
    if column in (_NORM, _SHORT_NORM):
        return bool(facts.batch_norms)
    return facts.optimizer is not None or not column.of_optimizer


def _header(column: _Column, facts: FreezeFacts) -> str:
    """The LR of a plan's phase is the highest of it, that of a living model the one of now."""
    return "peak LR" if column is _LR and facts.epochs else column.header


def _style(column: _Column, row: FactsRow) -> str:
    return CAUTION if column in (_MEMBER, _GROUP) and not row.as_it_trains else ""


def _total(column: _Column, rows: Sequence[FactsRow], whole: int) -> str:
    parameters = sum(row.parameters for row in rows)
    trainable = sum(row.cell.trainable for row in rows)
    if column is _COUNT:
        return numbers.count(parameters)
    if column is _SHARE:
        return numbers.share(parameters / whole if whole else 0.0)
    if column is _TRAINS:
        return numbers.share(trainable / parameters if parameters else 0.0)
    return ""


def _values(column: _Column, rows: Sequence[FactsRow]) -> list[str]:
    return [value for value in dict.fromkeys(column.cell(row) for row in rows) if value != "-"]


def _below(facts: FreezeFacts, rows: Sequence[FactsRow], shown: Sequence[_Column]) -> list[str]:
    lines = norm_legend(set(_values(_SHORT_NORM, rows))) if _SHORT_NORM in shown else []
    if facts.optimizer and _DECAY not in shown:
        values = ", ".join(value for value in _values(_DECAY, rows) if value != "0")
        lines.append(f"weight decay: {values or 'none'}{_on_what(facts) if values else ''}")
    if _DTYPE not in shown and not facts.optimizer:  # else the line on the optimizer names it
        dtypes = dict.fromkeys(dtype for row in rows for dtype in row.cell.dtypes)
        lines.append(f"parameters in {', '.join(dtypes)}")
    return lines


def _on_what(facts: FreezeFacts) -> str:
    on_vectors = any(p.weight_decay and not p.decays for p in facts.parameters)
    return "" if on_vectors else " on the weights that train, none on biases and norms"
