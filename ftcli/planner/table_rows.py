"""What a table of the field is made of: rows, each a condition on a case and what it advises there."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal

from ftcli.planner.domain import Domain

Strategy = Literal["feature_extraction", "partial", "lp_ft", "full", "scratch"]
Letter = Literal["A", "B", "C", "D", "M"]


@dataclass(frozen=True)
class Case:
    """What is known of the task. `num_images` counts all images, validation and test included."""

    num_images: int
    domain: Domain
    num_classes: int | None = None

    @property
    def images_per_class(self) -> int | None:
        return None if self.num_classes is None else self.num_images // self.num_classes


@dataclass(frozen=True)
class Span:
    """From `low` up to, not including, `end`."""

    low: float = 0
    end: float = inf

    def __contains__(self, number: float) -> bool:
        return self.low <= number < self.end


@dataclass(frozen=True)
class Rates:
    """Peak LRs of the backbone's lower half, its upper half, and the head; None where it is frozen."""

    early: float | None
    late: float | None
    head: float


@dataclass(frozen=True)
class Row:
    """A condition and what it advises. `text` is the row in words; `per_class` needs the number of classes, `distances`
    are those of the domain.

    `last_stages` counts what strategy `partial` trains of the backbone, from the head down; `or_else` are the
    strategies that the row allows beside its own. A row that is not `for_scenarios` says nothing of tasks that are
    named, chest X-rays for one, whose distance nobody measured.
    """

    table: Letter
    text: str
    strategy: Strategy
    rates: Rates
    last_stages: int | None = None
    or_else: tuple[Strategy, ...] = ()
    images: Span = Span()
    per_class: Span | None = None
    domain: Literal["close", "far"] | None = None
    distances: Span = Span()
    scenario: str | None = None
    for_scenarios: bool = True
    augment: Literal["none", "light", "standard", "strong"] = "light"

    def fires(self, case: Case) -> bool:
        if self.domain not in (None, case.domain.word) or self.scenario not in (None, case.domain.scenario):
            return False
        if case.domain.scenario is not None and not self.for_scenarios:
            return False
        if case.domain.distance not in self.distances:
            return False
        if self.per_class is not None:
            each = case.images_per_class
            if each is None or each not in self.per_class:
                return False
        return case.num_images in self.images

    def agrees_with(self, other: Row) -> bool:
        return self.trains == other.trains or other.strategy in self.or_else

    @property
    def trains(self) -> str:
        """What trains, in words."""
        if self.strategy == "partial":
            return (
                f"the head and the last {'stage' if self.last_stages == 1 else f'{self.last_stages} stages'}"
            )
        return {"feature_extraction": "the head", "scratch": "everything, from random weights"}.get(
            self.strategy, "everything"
        )


@dataclass(frozen=True)
class Table:
    """The first row that fires counts, so that special rows stand above general ones."""

    letter: Letter
    title: str
    rows: tuple[Row, ...]

    def fired(self, case: Case) -> Row | None:
        return next((row for row in self.rows if row.fires(case)), None)
