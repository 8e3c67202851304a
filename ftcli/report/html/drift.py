"""How far each stage moved from where it began: its weights, and what it makes of images. Where the run knows it."""

from __future__ import annotations

from typing import Any

from ftcli.report.html.pieces import note, row, section, table, wide
from ftcli.report.html.text import foreign
from ftcli.workflows.report_run import RunRecord

_COLUMNS = {"weights": "weights", "statistics": "BatchNorm statistics", "features": "features"}
_MOST = 100


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
    meaning = (
        "features: 1 - CKA of what the stage makes of some validation images, 0 is unchanged, 1 is unrelated"
    )
    return section(
        "drift",
        "How far it moved",
        wide("How far each stage moved", table(caption, columns, rows)),
        note(meaning) if "features" in shown else "",
    )


def _part(value: float | None) -> str:
    """Beyond ten times as a factor."""
    if value is None:
        return "-"
    return f"{value:.1%}" if value < 10 else f"{value:.0f}x"
