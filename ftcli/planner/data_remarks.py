"""What was measured of the data, as the comments of the recipe that follows from it."""

from __future__ import annotations

from collections.abc import Iterator

from ftcli.planner.choose import imbalance
from ftcli.plans.data_summary import DataSummary
from ftcli.plans.domain_distance import DomainDistance


def remarks(summary: DataSummary, distance: DomainDistance | None, audit: str) -> Iterator[str]:
    """Sentences; `audit` is the command that shows the copies."""
    counts = tuple(summary.classes.values())
    fewest, most = min(counts), max(counts)
    yield (
        f"Each class has {most:,} images."
        if fewest == most
        else f"Classes have {fewest:,} to {most:,} images."
    )
    if imbalance(counts):
        yield "They are out of balance: epochs are compared by macro F1 (train.checkpoint_metric), and see objective."
    if distance is not None:
        yield (
            f"The distance from the pretraining's images is {distance.value:g} (0 photographs, 1 noise), measured "
            f"on {distance.num_images} images by {distance.backbone}."
        )
    if summary.exact_copies or summary.near_copies:
        yield (
            f"{summary.exact_copies:,} exact and {summary.near_copies:,} near copies, {summary.crossing:,} of them "
            f"between train, val and test: {audit} --fix-split split.json, then data.split: {{file: split.json}}."
        )
