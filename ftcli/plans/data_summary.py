"""What was seen of a folder of images, in the numbers that a choice of what to train goes by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import fmean, median
from typing import Any

from ftcli.plans.audit import AuditReport
from ftcli.plans.data_splits import DataSplits


@dataclass(frozen=True)
class Sides:
    """Pixels, over the images that can be read."""

    least: int
    median: int
    most: int


@dataclass(frozen=True)
class DataSummary:
    """`classes` and `streams` count images; copies are pairs, `crossing` those of them between two streams."""

    source: str
    classes: Mapping[str, int]
    streams: Mapping[str, int]
    width: Sides
    height: Sides
    shorter_side: int
    """The median."""
    stretch: float
    """Longer side over shorter, the mean."""
    exact_copies: int
    near_copies: int
    crossing: int
    unreadable: int

    @property
    def num_images(self) -> int:
        """Those that can be read."""
        return sum(self.streams.values()) - self.unreadable

    @property
    def imbalance(self) -> float:
        """The largest class over the smallest."""
        return max(self.classes.values()) / max(min(self.classes.values()), 1)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "num_images": self.num_images, "imbalance": round(self.imbalance, 2)}


def summary_of(splits: DataSplits, report: AuditReport) -> DataSummary:
    """`report` is the audit of `splits`, of which at least one image can be read."""
    used = {index for stream in splits.streams.values() for index in stream}
    facts = [each for each in report.facts if each.index in used]
    read = [each for each in facts if each.error is None]
    kinds = [pair.kind for pair in report.pairs]
    per_class = [splits.count_per_class(stream) for stream in splits.streams]
    return DataSummary(
        source=splits.source,
        classes={name: sum(counts[name] for counts in per_class) for name in splits.classes},
        streams={stream: len(indices) for stream, indices in splits.streams.items()},
        width=_sides([each.width for each in read]),
        height=_sides([each.height for each in read]),
        shorter_side=round(median(min(each.width, each.height) for each in read)),
        stretch=fmean(max(each.width, each.height) / min(each.width, each.height) for each in read),
        exact_copies=kinds.count("exact"),
        near_copies=kinds.count("near"),
        crossing=sum(pair.crosses for pair in report.pairs),
        unreadable=len(facts) - len(read),
    )


def _sides(pixels: list[int]) -> Sides:
    return Sides(min(pixels), round(median(pixels)), max(pixels))
