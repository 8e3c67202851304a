"""How far each stage moved from where it began: its weights, and what it makes of images. Where the run knows it."""

from __future__ import annotations

from typing import Any

from ftcli.plans.layer_map import HEAD
from ftcli.report.html.curves import percent
from ftcli.report.html.phases import bands, performed
from ftcli.report.html.pieces import note, row, section, table, wide
from ftcli.report.html.svg import Chart, Line, Point, figure
from ftcli.report.html.text import foreign
from ftcli.workflows.report_run import RunRecord

_COLUMNS = {"weights": "weights", "statistics": "BatchNorm statistics", "features": "features"}
_MOST = 100
_MOST_LINES = 8


def drift(run: RunRecord) -> str:
    """Nothing of a run from before it was measured."""
    stages: list[dict[str, Any]] = [stage for stage in run.summary.get("drift") or () if "stage" in stage]
    shown = {
        key: name for key, name in _COLUMNS.items() if any(stage.get(key) is not None for stage in stages)
    }
    if not shown:
        return ""
    columns = ("stage", *(f">{name}" for name in shown.values()))
    rows = [
        row(foreign(stage["stage"], 40), (_part(stage.get(key)) for key in shown), columns)
        for stage in stages[:_MOST]
    ]
    caption = "By how much each stage moved, as a part of what it was at first"
    meaning = "features: 1 - CKA of what the stage makes of some validation examples, 0 is unchanged, 1 is unrelated"
    chart = _by_epoch(run)
    return section(
        "drift",
        "How far it moved",
        f'<div class="charts">{chart}</div>' if chart else "",
        wide("How far each stage moved", table(caption, columns, rows)),
        note(meaning) if "features" in shown else "",
    )


def _by_epoch(run: RunRecord) -> str:
    """The stages of the backbone: the new head moves farthest, and says nothing of what was learned before."""
    found: dict[str, list[Point]] = {}
    for each in run.epochs:
        for stage in each.signals.drift if each.signals else ():
            if stage.stage != HEAD:
                found.setdefault(stage.stage, []).append((each.epoch + 0.5, stage.weights))
    moved = [Line(name, points) for name, points in found.items() if any(value for _, value in points)]
    if not moved:
        return ""
    shown = sorted(moved, key=lambda line: -line.points[-1][1])[:_MOST_LINES]
    ends = "; ".join(f"{line.name} {line.points[-1][1]:.1%}" for line in shown)
    title = (
        "Weights, by epoch" if len(shown) == len(moved) else f"Weights of the {len(shown)} that moved most"
    )
    told = f"Line chart. How far each stage's weights have moved by epoch, in the end: {ends}."
    end = run.epochs[-1].epoch + 1.0
    return figure(Chart(title, told, shown, end, percent, bands(performed(run))))


def _part(value: float | None) -> str:
    """Beyond ten times as a factor."""
    if value is None:
        return "-"
    return f"{value:.1%}" if value < 10 else f"{value:.0f}x"
