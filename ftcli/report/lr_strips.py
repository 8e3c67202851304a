"""The curves of a phase's stages in characters, a line each on one axis: which stage gains, and where it is lost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from ftcli.plans.lr_sweep import LrSweep
from ftcli.report.lr_plot import limits
from ftcli.report.safe_text import plain, shorten
from ftcli.report.style import QUIET

WIDTH = 54
NAME = 24
LEVELS = "▁▂▃▄▅▆▇█"
DIVERGED = "x"


def strips(sweeps: Sequence[LrSweep]) -> RenderableType:
    """79 columns, a line a stage and two more; the smoothed losses of all of them on one scale."""
    ends = [end for sweep in sweeps for end in limits(sweep) if math.isfinite(end)]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    told = f"{LEVELS[0]} is a loss of {low:.3g}, {LEVELS[-1]} of {high:.3g} or more; {DIVERGED}: it diverges"
    lines = [
        plain(f"{shorten(sweep.stage or '', NAME):{NAME}} {_strip(sweep, low, high)}") for sweep in sweeps
    ]
    return Group(*lines, Text(_axis(sweeps[0].lrs), QUIET), Text(told, QUIET))


def _strip(sweep: LrSweep, low: float, high: float) -> str:
    """A stage's columns, as far as its test went."""
    return "".join(_cells(sweep, low, high)).rstrip()


def _cells(sweep: LrSweep, low: float, high: float) -> Iterator[str]:
    last = len(sweep.lrs) - 1
    lost = None if sweep.diverges_at is None else sweep.lrs.index(sweep.diverges_at)
    for column in range(WIDTH):
        step = round(column * last / (WIDTH - 1))
        if lost is not None and step >= lost:
            yield DIVERGED
            return
        yield _level(sweep.smooth[step], low, high) if step < len(sweep.smooth) else " "


def _level(loss: float, low: float, high: float) -> str:
    share = (loss - low) / (high - low) if math.isfinite(loss) else 1.0
    return LEVELS[round(min(share, 1.0) * (len(LEVELS) - 1))]


def _axis(lrs: Sequence[float]) -> str:
    """Each decade begins below its column."""
    first, last = math.log10(lrs[0]), math.log10(lrs[-1])
    line = ""
    for decade in range(round(first), round(last) + 1):
        at = NAME + 1 + round((decade - first) / (last - first) * (WIDTH - 1))
        told = f"1e{decade}"
        line = f"{line:{min(at, 80 - len(told))}}{told}"
    return line
