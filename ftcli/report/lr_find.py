"""A range test as a page and as JSON: curves and a table a phase, what is suggested, and where it diverges."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ftcli.findings import Finding
from ftcli.plans.lr_sweep import LrSweep
from ftcli.report import numbers
from ftcli.report.findings import findings_view
from ftcli.report.layout import add_columns, heading, table
from ftcli.report.lr_plot import plot
from ftcli.report.lr_strips import strips
from ftcli.report.safe_text import plain, shorten
from ftcli.report.style import QUIET

_COLUMNS = [
    ("stage", "<"),
    ("planned", "<"),
    ("valley", "<"),
    ("steepest", "<"),
    ("min/10", "<"),
    ("diverges at", "<"),
]
_ALL = "all (optimizer.lr)"
_LONGEST_NAME = 24


def lr_view(sweeps: Sequence[LrSweep], findings: Iterable[Finding]) -> RenderableType:
    """Fits 80 columns."""
    return Group(
        *(_phase(name, list(of_phase)) for name, of_phase in groupby(sweeps, key=lambda sweep: sweep.phase)),
        Text("valley is the one to start from; - where the loss does not fall, or does not diverge", QUIET),
        findings_view(findings),
    )


def lr_json(
    sweeps: Iterable[LrSweep], findings: Iterable[Finding], written: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Plain data; a loss that is not finite is null. `written`: the recipe paths that were given new values."""
    return {
        "sweeps": [_sweep_json(sweep) for sweep in sweeps],
        "findings": [asdict(finding) for finding in findings],
        "written": None if written is None else dict(written),
    }


def _phase(name: str, sweeps: Sequence[LrSweep]) -> RenderableType:
    rows = table()
    add_columns(rows, _COLUMNS)
    for sweep in sweeps:
        rows.add_row(*(plain(cell) for cell in _cells(sweep)))
    stages = [sweep for sweep in sweeps if sweep.stage is not None]
    drawn = [strips(stages), Text("")] if stages else []
    whole = [plot(sweeps[0]), Text("")]
    return Group(heading(f"LR range test of phase {name}"), Text(""), *whole, *drawn, rows, Text(""))


def _cells(sweep: LrSweep) -> Iterable[str]:
    yield _ALL if sweep.stage is None else shorten(sweep.stage, _LONGEST_NAME)
    yield numbers.rate(sweep.planned, 2)
    suggestion = sweep.suggestion
    for lr in (
        (suggestion.valley, suggestion.steepest, suggestion.minimum_tenth) if suggestion else (None,) * 3
    ):
        yield _rate(lr)
    yield "the others do" if sweep.inconclusive else _rate(sweep.diverges_at)


def _rate(lr: float | None) -> str:
    return "-" if lr is None else numbers.rate(lr, 2)


def _sweep_json(sweep: LrSweep) -> dict[str, Any]:
    return {
        "phase": sweep.phase,
        "stage": sweep.stage,
        "planned": sweep.planned,
        "suggestion": None if sweep.suggestion is None else asdict(sweep.suggestion),
        "diverges_at": sweep.diverges_at,
        "inconclusive": sweep.inconclusive,
        "lrs": list(sweep.lrs[: len(sweep.losses) - 1]),
        "losses": _finite(sweep.losses),
        "reference": None if sweep.reference is None else _finite(sweep.reference),
    }


def _finite(losses: Iterable[float]) -> list[float | None]:
    return [loss if math.isfinite(loss) else None for loss in losses]
