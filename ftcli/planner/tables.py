"""Four tables of the field for what to train, row by row; where they disagree, they are left to."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal

from ftcli.planner.domain import Domain

Strategy = Literal["feature_extraction", "partial", "lp_ft", "full", "scratch"]
Letter = Literal["A", "B", "C", "D"]

LARGE = 10_000
"""Images from which table D, which gives no number, calls data large: where A and C turn to all layers."""


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

    def __contains__(self, number: int) -> bool:
        return self.low <= number < self.end


@dataclass(frozen=True)
class Rates:
    """Peak LRs of the backbone's lower half, its upper half, and the head; None where it is frozen."""

    early: float | None
    late: float | None
    head: float


@dataclass(frozen=True)
class Row:
    """A condition and what it advises. `text` is the row in words; `per_class` needs the number of classes.

    `last_stages` counts what strategy `partial` trains of the backbone, from the head down; `or_else` are the
    strategies that the row allows beside its own.
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
    scenario: str | None = None
    augment: Literal["none", "light", "standard", "strong"] = "light"

    def fires(self, case: Case) -> bool:
        if self.domain not in (None, case.domain.word) or self.scenario not in (None, case.domain.scenario):
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


HEAD = Rates(None, None, 1e-3)
UPPER = Rates(None, 1e-4, 1e-3)
CAREFUL = Rates(None, 1e-5, 1e-4)
DIFFERENTIAL = Rates(1e-4, 1e-4, 1e-3)
GRADED = Rates(1e-5, 1e-4, 1e-3)
LOW = Rates(3e-5, 3e-5, 3e-5)
FRESH = Rates(1e-3, 1e-3, 1e-3)

A = Table(
    "A",
    "by total images",
    (
        Row(
            "A",
            "fewer than 1,000 images, close: the head only",
            "feature_extraction",
            HEAD,
            images=Span(0, 1_000),
            domain="close",
            augment="none",
        ),
        Row(
            "A",
            "1,000 to 10,000 images, close: freeze the first two or three stages, tune the rest",
            "partial",
            UPPER,
            last_stages=2,
            images=Span(1_000, 10_000),
            domain="close",
        ),
        Row(
            "A",
            "10,000 to 100,000 images, any domain: end to end with discriminative LRs",
            "full",
            DIFFERENTIAL,
            images=Span(10_000, 100_000),
        ),
        Row(
            "A",
            "100,000 images or more, far: everything; consider training from scratch",
            "full",
            DIFFERENTIAL,
            or_else=("scratch",),
            images=Span(100_000),
            domain="far",
            augment="standard",
        ),
    ),
)

B = Table(
    "B",
    "by images per class",
    (
        Row(
            "B",
            "millions of images, very different: from scratch, or pretraining on the domain",
            "scratch",
            FRESH,
            images=Span(1_000_000),
            per_class=Span(),
            domain="far",
            augment="strong",
        ),
        Row(
            "B",
            "any size, very different: everything, with augmentation, LRs 1e-5 / 1e-4 / 1e-3",
            "lp_ft",
            GRADED,
            per_class=Span(),
            domain="far",
            augment="standard",
        ),
        Row(
            "B",
            "fewer than 100 a class, similar: feature extraction, head at 1e-3",
            "feature_extraction",
            HEAD,
            per_class=Span(0, 100),
            domain="close",
            augment="none",
        ),
        Row(
            "B",
            "100 to 1,000 a class, similar: feature extraction, head at 1e-3",
            "feature_extraction",
            HEAD,
            per_class=Span(100, 1_000),
            domain="close",
            augment="none",
        ),
        Row(
            "B",
            "1,000 to 10,000 a class, similar: the last one or two stages at 1e-4, head at 1e-3",
            "partial",
            UPPER,
            last_stages=2,
            per_class=Span(1_000, 10_001),
            domain="close",
        ),
        Row(
            "B",
            "more than 10,000 a class, similar: all layers at 1e-4, head at 1e-3",
            "full",
            DIFFERENTIAL,
            per_class=Span(10_001),
            domain="close",
        ),
    ),
)

C = Table(
    "C",
    "by total images, coarse",
    (
        Row(
            "C",
            "100 to 1,000 images: the head",
            "feature_extraction",
            HEAD,
            images=Span(100, 1_000),
            augment="none",
        ),
        Row(
            "C",
            "1,000 to 10,000 images: the top block too",
            "partial",
            CAREFUL,
            last_stages=1,
            images=Span(1_000, 10_000),
        ),
        Row("C", "10,000 images or more: full fine-tuning", "full", LOW, images=Span(10_000)),
    ),
)

D = Table(
    "D",
    "by size and similarity",
    (
        Row(
            "D",
            "pets, highly similar: the head, or the top stage too",
            "feature_extraction",
            HEAD,
            or_else=("partial",),
            scenario="pets",
            augment="none",
        ),
        Row("D", "food: the top two or three stages", "partial", UPPER, last_stages=2, scenario="food"),
        Row(
            "D",
            "chest X-rays: most or all layers, small LRs",
            "lp_ft",
            GRADED,
            scenario="chest-xray",
            augment="standard",
        ),
        Row(
            "D",
            "satellite images: all layers, or from scratch",
            "lp_ft",
            DIFFERENTIAL,
            or_else=("scratch",),
            scenario="satellite",
            augment="standard",
        ),
        Row(
            "D",
            "microscopy: all layers, aggressively, after pretraining on the domain where there is one",
            "full",
            DIFFERENTIAL,
            scenario="microscopy",
            augment="standard",
        ),
        Row(
            "D",
            "small and similar: feature extraction",
            "feature_extraction",
            HEAD,
            images=Span(0, LARGE),
            domain="close",
            augment="none",
        ),
        Row(
            "D",
            "small and different: the top layers, carefully",
            "partial",
            CAREFUL,
            last_stages=2,
            images=Span(0, LARGE),
            domain="far",
            augment="standard",
        ),
        Row("D", "large and similar: all layers", "full", DIFFERENTIAL, images=Span(LARGE), domain="close"),
        Row(
            "D",
            "large and different: all layers aggressively, or from scratch",
            "full",
            DIFFERENTIAL,
            or_else=("scratch",),
            images=Span(LARGE),
            domain="far",
            augment="standard",
        ),
    ),
)

TRUSTED = (B, A, D, C)
"""Most trusted first: images per class say more than totals, D names no sizes, C ignores the domain."""


def winning_row(case: Case) -> Row:
    """The row of the most trusted table that fires; table D has one for every case."""
    return next(row for row in (table.fired(case) for table in TRUSTED) if row is not None)
