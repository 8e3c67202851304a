"""What `--compute` says: the minutes that there are, or the device that the advice is for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from ftcli.errors import UsageError
from ftcli.planner.table_rows import Row
from ftcli.planner.tables import CAREFUL, HEAD, UPPER

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class Compute:
    """`minutes` is the longest that training may take, None for no bound."""

    device: Device = "auto"
    minutes: float | None = None


def parse_compute(text: str) -> Compute:
    """`cpu`, `gpu`, or a number of minutes. Raises UsageError for anything else."""
    if text in ("cpu", "gpu"):
        return Compute("cuda" if text == "gpu" else "cpu")
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 0 < minutes < math.inf:
        raise UsageError(
            f"there is no compute {text!r}", where="--compute", remedy="give minutes (20), cpu or gpu"
        )
    return Compute(minutes=minutes)


def cheaper(row: Row) -> Iterator[Row]:
    """What costs less and trains less, the most first: the last two stages, the last one, the head."""
    if row.strategy == "feature_extraction":
        return
    upper = CAREFUL if row.domain == "far" or row.rates == CAREFUL else UPPER
    for last_stages in (2, 1):
        if row.strategy != "partial" or last_stages < (row.last_stages or 1):
            yield replace(row, strategy="partial", last_stages=last_stages, rates=upper, or_else=())
    yield replace(
        row, strategy="feature_extraction", last_stages=None, rates=HEAD, or_else=(), augment="none"
    )
