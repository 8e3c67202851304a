"""The curve of a range test in characters: the smoothed loss over the LR, and the LRs that matter below it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from ftcli.plans.lr_sweep import LrSweep
from ftcli.report import numbers
from ftcli.report.style import QUIET, STRONG

WIDTH = 64
HEIGHT = 10
_LABEL = 8
HIGHEST = 1.2
"""Times the loss at the start: what lies above is drawn at the top, or the blow-up would hide the valley."""


def plot(sweep: LrSweep) -> RenderableType:
    """74 columns by 13 lines."""
    low, high = limits(sweep)
    columns = _columns(sweep)
    lines = []
    for row in range(HEIGHT):
        dots = "".join("•" if _row(loss, low, high) == row else " " for loss in columns)
        value = high - (high - low) * row / (HEIGHT - 1)
        label = f"{value:.3g}" if row in (0, HEIGHT - 1) else ""
        lines.append(Text.assemble((f"{label:>{_LABEL}} ", QUIET), ("│", QUIET), dots.rstrip()))
    lines.append(Text(f"{'':{_LABEL}} └{'─' * WIDTH}", QUIET))
    return Group(*lines, _ticks(sweep), _marks(sweep))


def limits(sweep: LrSweep) -> tuple[float, float]:
    """The least and the highest loss that are drawn."""
    finite = [loss for loss in sweep.smooth if math.isfinite(loss)] or [sweep.losses[0]]
    low, high = min(finite), min(max(finite), HIGHEST * max(sweep.losses[0], finite[0]))
    return (low, high) if high > low else (low, low + 1.0)


def _columns(sweep: LrSweep) -> list[float | None]:
    """The loss at each column's LR, None where the test has ended before it."""
    shown: list[float | None] = []
    for column in range(WIDTH):
        step = round(column * (len(sweep.lrs) - 1) / (WIDTH - 1))
        shown.append(sweep.smooth[step] if step < len(sweep.smooth) else None)
    return shown


def _row(loss: float | None, low: float, high: float) -> int | None:
    if loss is None:
        return None
    if not loss < high:  # not finite too
        return 0
    return round((high - loss) / (high - low) * (HEIGHT - 1))


def _column(sweep: LrSweep, lr: float) -> int:
    """Where an LR stands on the axis; one beyond it at its end."""
    first, last = sweep.lrs[0], sweep.lrs[-1]
    share = math.log(lr / first) / math.log(last / first)
    return round(min(max(share, 0.0), 1.0) * (WIDTH - 1))


def _ticks(sweep: LrSweep) -> Text:
    decades = range(round(math.log10(sweep.lrs[0])), round(math.log10(sweep.lrs[-1])) + 1)
    return Text(_line([(_column(sweep, 10.0**d), f"1e{d}") for d in decades]), QUIET)


def _marks(sweep: LrSweep) -> Text:
    told = [(_column(sweep, sweep.planned), f"^planned {numbers.rate(sweep.planned, 2)}")]
    if sweep.suggestion is not None:
        told.append((_column(sweep, sweep.suggestion.valley), "^valley"))
    if sweep.diverges_at is not None:
        told.append((_column(sweep, sweep.diverges_at), "^diverges"))
    rows: list[list[tuple[int, str]]] = []
    for column, word in sorted(told):
        room = next((row for row in rows if row[-1][0] + len(row[-1][1]) < column), None)
        if room is None:
            rows.append([(column, word)])
        else:
            room.append((column, word))
    return Text("\n".join(_line(row) for row in rows), STRONG)


def _line(words: Sequence[tuple[int, str]]) -> str:
    """Each word begins below its column; what would run over the edge of 80 is moved left."""
    line = ""
    for column, word in words:
        at = min(column + _LABEL + 2, 80 - len(word))
        line = f"{line:{at}}"[:at] + word
    return line
