"""A few scores on one axis, each a mark of its own shape, with the interval that it may lie in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ftcli.report.html.svg import ticks
from ftcli.report.html.text import safe
from ftcli.report.safe_text import shorten

_WIDTH, _RIGHT, _ROW, _TOP = 400, 58, 30, 8
_LEAST_LEFT, _PER_CHARACTER = 108, 7.8
"""Of the names, which stand to the left of the axis."""
LONGEST_NAME = 22


@dataclass(frozen=True)
class Spot:
    """A score between 0 and 1."""

    name: str
    value: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    left: float

    def x(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.left + (_WIDTH - self.left - _RIGHT) * share, 1)


def spots_figure(title: str, spots: Sequence[Spot]) -> str:
    """Nothing of a single one without an interval: there is nothing to compare."""
    ends = [end for spot in spots for end in (spot.value, *(spot.interval or ()))]
    if len(ends) < 2:
        return ""
    margin = max((max(ends) - min(ends)) * 0.1, 0.01)
    low, high = max(0.0, min(ends) - margin), min(1.0, max(ends) + margin)
    scale = _Scale(low, high, max(_LEAST_LEFT, 18 + _PER_CHARACTER * max(len(_name(s)) for s in spots)))
    bottom = _TOP + _ROW * len(spots)
    drawn = []
    for value in ticks(low, high, 4):
        x = scale.x(value)
        drawn.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{_TOP}" y2="{bottom}"/>')
        drawn.append(f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{100 * value:g}%</text>')
    for number, spot in enumerate(spots):
        drawn += _spot(number, spot, scale)
    told = "; ".join(f"{spot.name} {spot.value:.1%}" for spot in spots)
    return (
        f'<figure class="chart"><figcaption>{safe(title.capitalize() if title.islower() else title)}</figcaption>\n'
        f'<svg viewBox="0 0 {_WIDTH} {bottom + 22}" role="img" aria-label="{safe(told)}">\n'
        + "\n".join(drawn)
        + "\n</svg></figure>"
    )


def _spot(number: int, spot: Spot, scale: _Scale) -> list[str]:
    x, y = scale.x(spot.value), _TOP + _ROW * number + _ROW / 2
    drawn = [
        f'<text x="{scale.left - 10:.1f}" y="{y + 4}" text-anchor="end" class="strong">{safe(_name(spot))}</text>'
    ]
    if spot.interval is not None:
        left, right = (scale.x(end) for end in spot.interval)
        drawn.append(
            f'<line class="line s7" style="stroke-dasharray:none" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>'
        )
        drawn += [
            f'<line class="line s7" style="stroke-dasharray:none" x1="{end}" x2="{end}" y1="{y - 4}" y2="{y + 4}"/>'
            for end in (left, right)
        ]
    drawn.append(_shape(number, x, y))
    drawn.append(
        f'<text x="{_WIDTH - 2}" y="{y + 4}" text-anchor="end" class="strong">{spot.value:.1%}</text>'
    )
    return drawn


def _name(spot: Spot) -> str:
    return shorten(spot.name, LONGEST_NAME)


def _shape(number: int, x: float, y: float) -> str:
    if number % 4 == 0:
        return f'<circle class="mark" cx="{x}" cy="{y}" r="5.5"/>'
    if number % 4 == 1:
        return f'<circle class="d0" cx="{x}" cy="{y}" r="6.5"/>'
    if number % 4 == 2:
        return f'<path class="d1" d="M{x} {y - 8}L{x + 8} {y}L{x} {y + 8}L{x - 8} {y}Z"/>'
    return f'<rect class="d2" x="{x - 6}" y="{y - 6}" width="12" height="12"/>'
