"""Line charts as inline SVG: epochs to the right, phases as bands, lines told apart by colour and by dash."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ftcli.report.html.text import foreign, safe

Point = tuple[float, float]

WIDTH, HEIGHT = 400, 240
LEFT, RIGHT, TOP, BOTTOM = 50, 10, 22, 36
STYLES = 8
"""Colours with dashes that there are."""
_MOST_DOTS = 40
_MOST_POINTS = 600
_LOG_RANGE = 1e-4
"""Of the highest value; what lies below lies on the lower edge."""


@dataclass(frozen=True)
class Band:
    """A stretch of epochs; `label` stands above it."""

    start: float
    end: float
    label: str


@dataclass(frozen=True)
class Line:
    name: str
    points: Sequence[Point]
    dots: Sequence[Point] | None = None
    """Which of them are dots as well; None: all, unless there are too many to tell apart."""


@dataclass(frozen=True)
class Chart:
    """`told` says in words what is to be seen, for those who do not see it."""

    title: str
    told: str
    lines: Sequence[Line]
    end: float
    """The x axis is of epochs, from 0 to here; epoch e lies between e and e + 1."""
    tick: Callable[[float], str]
    bands: Sequence[Band] = ()
    level: tuple[str, float] | None = None
    """A horizontal line, and its name."""
    mark: tuple[str, Point] | None = None
    log: bool = False
    places: Sequence[tuple[float, str]] = ()
    """What stands at the x axis where it is not of epochs; `axis` says what it is of."""
    axis: str = "epoch"


def figure(chart: Chart) -> str:
    """The chart with its title above and its legend below; nothing where it has no point."""
    values = [y for line in chart.lines for _, y in line.points if _shown(y, chart.log)]
    if not values:
        return ""
    if chart.level is not None:
        values.append(chart.level[1])
    scale = _Scale(chart, *_bounds(values, chart.log))
    drawn = [*_bands(chart, scale), *_grid(chart, scale), *_x_axis(chart, scale)]
    for number, line in enumerate(chart.lines):
        drawn += _line(line, number % STYLES, scale)
    drawn += [*_level(chart, scale), *_mark(chart, scale)]
    return (
        f'<figure class="chart"><figcaption>{safe(chart.title)}</figcaption>\n'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{safe(chart.told)}">\n'
        + "\n".join(drawn)
        + f"\n</svg>\n{_legend(chart)}</figure>"
    )


@dataclass(frozen=True)
class _Scale:
    chart: Chart
    low: float
    high: float

    def x(self, epoch: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * epoch / max(self.chart.end, 1e-9), 1)

    def y(self, value: float) -> float:
        low, high, at = self.low, self.high, value
        if self.chart.log:
            low, high, at = math.log10(low), math.log10(high), math.log10(max(value, low))
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (high - at) / (high - low), 1)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from `low` to `high`."""
    raw = (high - low) / most
    power = 10 ** math.floor(math.log10(raw))
    step = next(nice * power for nice in (1, 2, 2.5, 5, 10) if nice * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _bounds(values: Sequence[float], log: bool) -> tuple[float, float]:
    low, high = min(values), max(values)
    if log:
        low = max(low, high * _LOG_RANGE)
        below, above = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
        return 10.0**below, 10.0 ** max(above, below + 1)
    margin = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    return (0.0 if 0 <= low < high * 0.35 else low - margin), high + margin


def _shown(value: float, log: bool) -> bool:
    return math.isfinite(value) and (value > 0 or not log)


def _bands(chart: Chart, scale: _Scale) -> list[str]:
    drawn = []
    for number, band in enumerate(chart.bands):
        left, right = scale.x(band.start), scale.x(band.end)
        if number % 2:
            height = HEIGHT - TOP - BOTTOM
            drawn.append(
                f'<rect class="band" x="{left}" y="{TOP}" width="{right - left:.1f}" height="{height}"/>'
            )
        if number:
            drawn.append(f'<line class="edge" x1="{left}" x2="{left}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        if right - left >= 7 * len(band.label):
            at = (left + right) / 2
            drawn.append(
                f'<text x="{at:.1f}" y="{TOP - 7}" text-anchor="middle" class="strong">{safe(band.label)}</text>'
            )
    return drawn


def _grid(chart: Chart, scale: _Scale) -> list[str]:
    drawn = []
    for value in _log_ticks(scale) if chart.log else ticks(scale.low, scale.high):
        y = scale.y(value)
        drawn.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        drawn.append(f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{safe(chart.tick(value))}</text>')
    return drawn


def _log_ticks(scale: _Scale) -> list[float]:
    low, high = round(math.log10(scale.low)), round(math.log10(scale.high))
    step = max(1, math.ceil((high - low) / 5))
    return [10.0**power for power in range(low, high + 1, step)]


def _x_axis(chart: Chart, scale: _Scale) -> list[str]:
    y = HEIGHT - BOTTOM
    middle = (LEFT + WIDTH - RIGHT) / 2
    axis = f'<text x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">{safe(chart.axis)}</text>'
    return [
        *(
            f'<text x="{scale.x(at)}" y="{y + 16}" text-anchor="middle">{safe(label)}</text>'
            for at, label in chart.places or _epochs(chart)
        ),
        axis,
    ]


def _epochs(chart: Chart) -> list[tuple[float, str]]:
    """At most ten of them; each stands in its middle."""
    count = math.ceil(chart.end)
    step = next(
        step * 10**power for power in range(7) for step in (1, 2, 5) if count / (step * 10**power) <= 10
    )
    return [(epoch + 0.5, str(epoch)) for epoch in range(0, count, step)]


def _line(line: Line, style: int, scale: _Scale) -> list[str]:
    points = line.points[:: max(1, len(line.points) // _MOST_POINTS)]
    runs: list[list[str]] = [[]]
    for x, y in points:
        if _shown(y, scale.chart.log):
            runs[-1].append(f"{scale.x(x)},{scale.y(y)}")
        else:
            runs.append([])
    drawn = [f'<polyline class="line s{style}" points="{" ".join(run)}"/>' for run in runs if run]
    dots = line.dots if line.dots is not None else points if len(points) <= _MOST_DOTS else ()
    return [
        *drawn,
        *(
            f'<circle class="d{style}" cx="{scale.x(x)}" cy="{scale.y(y)}" r="3"/>'
            for x, y in dots
            if _shown(y, scale.chart.log)
        ),
    ]


def _level(chart: Chart, scale: _Scale) -> list[str]:
    if chart.level is None:
        return []
    y = scale.y(chart.level[1])
    return [f'<line class="level" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>']


def _mark(chart: Chart, scale: _Scale) -> list[str]:
    if chart.mark is None or not _shown(chart.mark[1][1], chart.log):
        return []
    x, y = scale.x(chart.mark[1][0]), scale.y(chart.mark[1][1])
    return [f'<circle class="mark" cx="{x}" cy="{y}" r="5.5"/>']


def _legend(chart: Chart) -> str:
    entries = [
        (f'<line class="line s{number % STYLES}" x1="1" x2="29" y1="5" y2="5"/>', line.name)
        for number, line in enumerate(chart.lines)
    ]
    if chart.level is not None:
        entries.append(('<line class="level" x1="1" x2="29" y1="5" y2="5"/>', chart.level[0]))
    if chart.mark is not None:
        entries.append(('<circle class="mark" cx="15" cy="5" r="4"/>', chart.mark[0]))
    told = "".join(
        f'<li><svg viewBox="0 0 30 10" aria-hidden="true">{sample}</svg>{foreign(name)}</li>'
        for sample, name in entries
    )
    return f'<ul class="legend">{told}</ul>'
