"""Learning curves in characters: a letter a variant, the score over the logarithm of the training images."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from ftcli.report.headline import told
from ftcli.report.safe_text import plain, shorten
from ftcli.report.style import QUIET

if TYPE_CHECKING:
    from ftcli.workflows.compare.comparison import Comparison

WIDTH = 56
HEIGHT = 12
_LABEL = 6
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SEVERAL = "*"
_LINE = "·"


def curves_plot(found: Comparison) -> RenderableType:
    """63 columns. Points are letters; where two fall on one place there is a `*`."""
    grid = [[" "] * WIDTH for _ in range(HEIGHT)]
    low, high = _limits(found)
    shown = found.variants[: len(_LETTERS)]
    for name in shown:
        points = _points(found, name, low, high)
        for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False):
            for x in range(x0 + 1, x1):
                y = round(y0 + (y1 - y0) * (x - x0) / (x1 - x0))
                if grid[y][x] == " ":
                    grid[y][x] = _LINE
    for letter, name in zip(_LETTERS, shown, strict=False):
        for x, y in _points(found, name, low, high):
            grid[y][x] = letter if grid[y][x] in (" ", _LINE) else _SEVERAL
    lines = [
        Text.assemble((_label(row, low, high, found.metric), QUIET), "".join(cells).rstrip())
        for row, cells in enumerate(grid)
    ]
    legend = [
        plain(f"{letter}  {shorten(name, WIDTH)}") for letter, name in zip(_LETTERS, shown, strict=False)
    ]
    axis = Text(f"{'':{_LABEL}} └{'─' * WIDTH}", QUIET)
    return Group(*lines, axis, Text(_ticks(found), QUIET), Text(""), *legend)


def _points(found: Comparison, variant: str, low: float, high: float) -> list[tuple[int, int]]:
    cells = [(size, found.at(variant, size)) for size in found.num_trains]
    return [
        (_column(found, size), round((high - cell.mean) / (high - low) * (HEIGHT - 1)))
        for size, cell in cells
        if cell is not None
    ]


def _limits(found: Comparison) -> tuple[float, float]:
    means = [cell.mean for cell in found.cells]
    low, high = min(means), max(means)
    return (low, high) if high > low else (low - 0.01, high + 0.01)


def _column(found: Comparison, size: int) -> int:
    first, last = found.num_trains[0], found.num_trains[-1]
    return round(log(size / first) / log(last / first) * (WIDTH - 1))


def _label(row: int, low: float, high: float, metric: str) -> str:
    value = high - (high - low) * row / (HEIGHT - 1)
    written = told(metric, value) if row in (0, HEIGHT - 1) else ""
    return f"{written:>{_LABEL}} │"


def _ticks(found: Comparison) -> str:
    """Below each size its number, as far as there is room."""
    line = ""
    for size in found.num_trains:
        word, at = f"{size:,}", _column(found, size) + _LABEL + 2
        at = min(at, _LABEL + 2 + WIDTH - len(word))
        if at > len(line) or not line:
            line = f"{line:{at}}{word}"
    return line
