"""What an audit of the data found: facts of images, pairs that should not be, and the findings drawn from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ftcli.findings import Finding

PairKind = Literal["exact", "near"]
LEAST_WORDS = 5
"""Shorter texts say too little to be near copies of anything."""


@dataclass(frozen=True)
class ImageFacts:
    """Of one example, by its index; `error` is why it cannot be read, and then there is nothing else."""

    index: int
    width: int = 0
    height: int = 0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Of each channel, 0 to 255."""
    std: tuple[float, float, float] = (0.0, 0.0, 0.0)
    spread: int = 0
    """The widest range of values in a channel: 0 when every pixel is the same."""
    error: str | None = None
    words: int = 0
    """Of a text."""
    blank: bool = False
    """Whether a text has nothing but blanks."""


@dataclass(frozen=True)
class Pair:
    """Two examples that show one picture, or two of one text."""

    kind: PairKind
    first: int
    second: int
    """Indices of the examples; `first` lies in the earlier of train, val and test."""
    first_key: str
    second_key: str
    streams: tuple[str, str]
    labels: tuple[str, str]
    how: str
    """How one came from the other, as far as it shows: "the same pixels", "mirrored", "cropped, brighter"."""
    distance: float
    """What remains between them when they are laid on each other, 0 for the same pixels; of texts, the share of words
    and neighbours that they do not share."""

    @property
    def crosses(self) -> bool:
        return self.streams[0] != self.streams[1]


@dataclass(frozen=True)
class NotChecked:
    """A check that the data gave no ground for: silence about it is no all-clear."""

    what: str
    why: str


@dataclass(frozen=True)
class AuditReport:
    source: str
    classes: tuple[str, ...]
    streams: Mapping[str, int]
    """How many examples each has."""
    pairs: tuple[Pair, ...]
    """Of many copies of one image each is paired with one other, preferably of another stream."""
    findings: tuple[Finding, ...]
    facts: tuple[ImageFacts, ...] = ()
    leaked: frozenset[int] = frozenset()
    """Examples of val and test that training has seen in some form: a copy, or another of their group."""
    tied: tuple[tuple[int, ...], ...] = ()
    """Sets of examples that must stay in one stream: copies of each other, or of one group."""
    not_checked: tuple[NotChecked, ...] = ()
    noun: str = "image"
    """What an example is."""

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def counts(self) -> dict[str, dict[str, int]]:
        """kind -> "train-test" -> pairs; the worst part of the story in a few numbers."""
        found: dict[str, Counter[str]] = {"exact": Counter(), "near": Counter()}
        for pair in self.pairs:
            found[pair.kind]["-".join(pair.streams) if pair.crosses else f"within {pair.streams[0]}"] += 1
        return {kind: dict(counts) for kind, counts in found.items()}

    def to_dict(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "of": f"{self.noun}s",
            "classes": list(self.classes),
            "streams": dict(self.streams),
            "counts": self.counts(),
            "leaked": len(self.leaked),
            "findings": [asdict(finding) for finding in self.findings],
            "not_checked": [asdict(each) for each in self.not_checked],
            "pairs": [_shown(pair) for pair in self.pairs],
        }


def worst_first(pair: Pair) -> tuple[bool, bool, bool, float, str]:
    """For sorting: what makes the test score untrue before the rest, then contradicting labels, then the nearest."""
    return (
        "test" not in pair.streams or not pair.crosses,
        not pair.crosses,
        pair.labels[0] == pair.labels[1],
        pair.distance,
        pair.first_key,
    )


def _shown(pair: Pair) -> dict[str, Any]:
    return {
        "kind": pair.kind,
        "first": pair.first_key,
        "second": pair.second_key,
        "streams": list(pair.streams),
        "labels": list(pair.labels),
        "how": pair.how,
        "distance": round(pair.distance, 4),
    }
