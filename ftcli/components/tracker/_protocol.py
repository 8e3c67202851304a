"""What every tracker does. Each of its functions may fail in any way: that ends the tracking, never the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Facts = Mapping[str, str | int | float]


@dataclass(frozen=True)
class TrackedRun:
    """`identity` is the same when a run goes on after it was cut off, and another one's for every other run."""

    path: Path
    name: str
    identity: str


class Tracker(Protocol):
    def begin(self, facts: Facts) -> None:
        """Once, before the first epoch: what the run is made of."""

    def log(self, values: Mapping[str, float], epoch: int) -> None:
        """After an epoch, counted from 0; and once in the end, of the epoch that is kept."""

    def close(self, *, complete: bool) -> None:
        """Once, however the run ends."""
