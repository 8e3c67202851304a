"""Whether the network is as often right as it is sure: a reliability diagram."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ftcli.report.html.pieces import folded, note, row, section, table, wide
from ftcli.report.html.text import safe
from ftcli.workflows.predictions_table import Answers
from ftcli.workflows.report_run import RunRecord

BINS = 10
_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 400, 50, 10, 8, 36
_SIDE, _BELOW = 220, 46
"""Heights of the diagram, and of the counts below it."""

_LEGEND = (
    '<ul class="legend">'
    '<li><svg viewBox="0 0 30 10" aria-hidden="true"><rect class="bar" x="8" y="0" width="14" height="10"/></svg>'
    "how often it is right</li>"
    '<li><svg viewBox="0 0 30 10" aria-hidden="true"><rect class="gap" x="8" y="1" width="14" height="8"/></svg>'
    "the gap to how sure it is</li>"
    '<li><svg viewBox="0 0 30 10" aria-hidden="true"><rect class="count" x="8" y="0" width="14" height="10"/></svg>'
    "how many there are</li></ul>"
)


@dataclass(frozen=True)
class Bin:
    """What was said with a probability between `low` and `high`."""

    low: float
    high: float
    count: int
    confidence: float
    """Its mean."""
    accuracy: float


def bins_of(answers: Answers) -> tuple[Bin, ...]:
    """Without the empty ones. Of multi-label data every class of every example counts by itself."""
    sums = [[0, 0.0, 0] for _ in range(BINS)]
    for probability, right in _said(answers):
        place = sums[min(int(probability * BINS), BINS - 1)]
        place[0] += 1
        place[1] += probability
        place[2] += right
    return tuple(
        Bin(number / BINS, (number + 1) / BINS, int(count), total / count, right / count)
        for number, (count, total, right) in enumerate(sums)
        if count
    )


def _said(answers: Answers) -> Iterable[tuple[float, bool]]:
    for line in answers.lines:
        if answers.multi_label:
            for name, probability in zip(answers.classes, line.probabilities, strict=True):
                yield probability, name in line.labels
        else:
            yield line.confidence, line.labels == line.predicted


def calibration(run: RunRecord) -> str:
    report = run.result.test_report if run.result else None
    if run.answers is None:
        return ""
    bins = bins_of(run.answers)
    if not bins:
        return ""
    ece = (report or {}).get("ece")
    told = "Of what is said with 80% probability, 80% should be right: then the bars end on the dashed line."
    measured = (
        ""
        if ece is None
        else f"<p>Expected calibration error (ECE): <strong>{ece:.3f}</strong>. {_lean(bins)}</p>"
    )
    return section(
        "calibration",
        "Calibration",
        measured,
        f'<div class="charts">{_figure(bins)}</div>',
        note(f"{told} Test examples alone."),
        folded("The numbers", wide("Calibration", _table(bins))),
    )


def _lean(bins: Sequence[Bin]) -> str:
    total = sum(each.count for each in bins)
    gap = sum(each.count * (each.confidence - each.accuracy) for each in bins) / total
    if abs(gap) < 0.01:
        return "On the whole it is as sure as it is right."
    return f"On the whole it is too {'sure' if gap > 0 else 'unsure'}, by {abs(gap):.1%}."


def _figure(bins: Sequence[Bin]) -> str:
    most = max(each.count for each in bins)
    drawn = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        x, y = _x(share), _y(share)
        drawn.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
        drawn.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{share:.0%}</text>')
        below = _TOP + _SIDE + _BELOW
        drawn.append(f'<text x="{x}" y="{below + 15}" text-anchor="{_anchor(share)}">{share:.0%}</text>')
    drawn += [part for each in bins for part in _bar(each, most)]
    drawn.append(f'<line class="level" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>')
    told = "; ".join(f"{each.confidence:.0%} sure, {each.accuracy:.0%} right" for each in bins)
    height = _TOP + _SIDE + _BELOW + _BOTTOM
    return (
        '<figure class="chart"><figcaption>How often it is right, by how sure it is</figcaption>\n'
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="Reliability diagram. {safe(told)}">\n'
        + "\n".join(drawn)
        + f'\n<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{height - 4}" text-anchor="middle">probability</text>'
        f"\n</svg>\n{_LEGEND}</figure>"
    )


def _bar(each: Bin, most: int) -> list[str]:
    left, width = _x(each.low) + 1, _x(each.high) - _x(each.low) - 2
    top, sure = _y(each.accuracy), _y(each.confidence)
    counts = (_BELOW - 12) * each.count / most
    return [
        f'<rect class="bar" x="{left:.1f}" y="{top}" width="{width:.1f}" height="{_y(0) - top:.1f}"/>',
        f'<rect class="gap" x="{left:.1f}" y="{min(top, sure)}" width="{width:.1f}" '
        f'height="{abs(top - sure):.1f}"/>',
        f'<rect class="count" x="{left:.1f}" y="{_TOP + _SIDE + _BELOW - counts:.1f}" width="{width:.1f}" '
        f'height="{counts:.1f}"/>',
    ]


def _table(bins: Sequence[Bin]) -> str:
    columns = ("probability", ">how many", ">mean probability", ">right")
    rows = [
        row(
            f"{each.low:.0%} to {each.high:.0%}",
            (f"{each.count:,}", f"{each.confidence:.1%}", f"{each.accuracy:.1%}"),
            columns,
        )
        for each in bins
    ]
    return table("By how sure it is", columns, rows)


def _anchor(share: float) -> str:
    return "end" if share == 1 else "start" if share == 0 else "middle"


def _x(share: float) -> float:
    return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * share, 1)


def _y(share: float) -> float:
    return round(_TOP + _SIDE * (1 - share), 1)
