"""How far the best model lies from where it began, stage by stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from ftcli.plans.layer_map import HEAD
from ftcli.plans.signals import StageDrift
from ftcli.report.layout import add_columns, table
from ftcli.report.safe_text import plain, shorten
from ftcli.report.style import QUIET

_MOST_STAGES = 10
_NAME_WIDTH = 24


def drift_view(drift: Sequence[StageDrift]) -> Iterator[RenderableType]:
    """A row a stage of the backbone, of very many those that moved most; nothing where none of them moved."""
    body = [stage for stage in drift if stage.stage != HEAD]
    if not any(stage.weights or stage.statistics for stage in body):
        return
    farthest = sorted(body, key=lambda stage: stage.weights, reverse=True)[:_MOST_STAGES]
    rows, columns = table(), [("moved by", "<"), ("weights", ">"), ("features", ">")]
    has_statistics = any(stage.statistics is not None for stage in body)
    add_columns(rows, [*columns, ("BN stats", ">")] if has_statistics else columns)
    for stage in body:
        if stage in farthest:
            cells = [part(stage.weights), part(stage.features)]
            cells += [part(stage.statistics)] if has_statistics else []
            rows.add_row(plain(shorten(stage.stage, _NAME_WIDTH)), *cells)
    yield Text("")
    yield rows
    more = f"; {len(body) - len(farthest)} more stages in summary.json" if len(farthest) < len(body) else ""
    yield plain(f"of their first values; features: 1 - CKA, 0 is unchanged{more}", QUIET)
    yield Text("")


def part(value: float | None) -> str:
    """0.0421 -> "4.2%"; beyond ten times "12x"."""
    if value is None:
        return "-"
    return f"{value:.1%}" if value < 10 else f"{value:.0f}x"
