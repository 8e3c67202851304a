"""Every class by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftcli.report.html.pieces import row, section, table, wide
from ftcli.report.html.text import foreign
from ftcli.workflows.report_run import RunRecord

_MOST = 60
_RATES = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "auroc": "AUROC",
    "average_precision": "average precision",
}


def classes(run: RunRecord) -> str:
    """Of very many those with the lowest F1."""
    report = run.result.test_report if run.result else None
    found: list[Mapping[str, Any]] = list((report or {}).get("per_class") or ())
    if not found:
        return ""
    shown = found if len(found) <= _MOST else sorted(found, key=lambda each: each["f1"] or 0.0)[:_MOST]
    rates = {key: name for key, name in _RATES.items() if key in found[0]}
    columns = ("class", *(f">{name}" for name in rates.values()), ">test examples")
    rows = [
        row(
            foreign(each["class"], 40),
            (*(_rate(each[key]) for key in rates), f"{each['support']:,}"),
            columns,
        )
        for each in shown
    ]
    caption = "On test"
    if len(shown) < len(found):
        caption = f"On test, the {len(shown)} lowest F1 of {len(found):,} classes"
    return section("classes", "Class by class", wide("Class by class", table(caption, columns, rows)))


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
