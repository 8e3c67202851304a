"""How far the images at hand lie from those of the pretraining: a number, a word, or a scenario by name."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ftcli.errors import UsageError

FAR_FROM = 0.5
"""From this distance on a domain is far (very different); below it is close (similar)."""

DISTANCES = {
    "close": 0.2,
    "far": 0.8,
    "pets": 0.1,
    "food": 0.3,
    "satellite": 0.7,
    "chest-xray": 0.8,
    "microscopy": 0.9,
}
"""From photographs of things, as in ImageNet. After the first two: scenarios, with rows of their own."""
SCENARIOS = tuple(DISTANCES)[2:]


@dataclass(frozen=True)
class Domain:
    """`distance` lies between 0, the same images, and 1, very different ones."""

    distance: float
    scenario: str | None = None

    @property
    def is_far(self) -> bool:
        return self.distance >= FAR_FROM

    @property
    def word(self) -> Literal["close", "far"]:
        return "far" if self.is_far else "close"


def parse_domain(text: str) -> Domain:
    """`close`, `far`, a scenario, or a distance. Raises UsageError for anything else."""
    name = "-".join(text.lower().split())
    if name in DISTANCES:
        return Domain(DISTANCES[name], name if name in SCENARIOS else None)
    try:
        distance = float(text)
    except ValueError:
        distance = math.nan
    if not 0 <= distance <= 1:
        words = f"{', '.join(DISTANCES)}, or a distance from 0 (the same) to 1 (very different)"
        raise UsageError(f"there is no domain {text!r}", where="--domain", remedy=words)
    return Domain(distance)
