"""Where a run's time went, part by part, and how near training came to what the machine can compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Part:
    """`path` names the parts that it lies in, the outermost first, and itself; () is what no part covers."""

    path: tuple[str, ...]
    seconds: float
    """Its own: what the parts within it took is theirs."""
    images: int = 0
    """That it dealt with, a view of an image by itself; 0 where they are not counted."""


@dataclass(frozen=True)
class Compute:
    """The forward and backward passes of training beside a large matrix product on the same machine."""

    flops: float
    """Counted: the forward pass of what runs, and twice as much again for the backward pass of what trains."""
    seconds: float
    ceiling: float
    """FLOP/s that the matrix product reached."""
    precision: str

    @property
    def share(self) -> float:
        """Of the ceiling."""
        return self.flops / self.seconds / self.ceiling


@dataclass(frozen=True)
class Profile:
    """The parts of the thread that trains sum to `seconds`; `beside` are those of other threads, at the same time."""

    seconds: float
    parts: tuple[Part, ...]
    beside: tuple[Part, ...]
    compute: Compute | None = None
    """None where nothing was trained, or what it takes cannot be counted."""


def profile_from(values: Mapping[str, Any]) -> Profile:
    """From what dataclasses.asdict and JSON make of it."""
    compute = values["compute"]
    return Profile(
        seconds=values["seconds"],
        parts=_parts(values["parts"]),
        beside=_parts(values["beside"]),
        compute=None if compute is None else Compute(**compute),
    )


def _parts(rows: list[Mapping[str, Any]]) -> tuple[Part, ...]:
    return tuple(Part(**{**row, "path": tuple(row["path"])}) for row in rows)
