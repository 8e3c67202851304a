"""Train and test from different sources: their pixels differ as whole streams, not as single images do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt
from statistics import fmean, pstdev

from ftcli.findings import Finding
from ftcli.planner.audit_rules.seen import Seen
from ftcli.plans.audit import ImageFacts
from ftcli.plans.data_splits import TEST, TRAIN

LARGE = 0.5
"""A difference of the means, in standard deviations of single images, that is worth a word."""
SURE = 5.0
"""And in standard errors, so that a small test set does not raise it by chance."""
LEAST = 20
"""Images of each stream."""


def pixel_statistics(seen: Seen) -> Iterator[Finding]:
    train, test = readable(seen, TRAIN), readable(seen, TEST)
    if min(len(train), len(test)) < LEAST:
        return
    differ = []
    for name, measured in _measures(train, test).items():
        one, other = measured
        spread = sqrt((pstdev(one) ** 2 + pstdev(other) ** 2) / 2) + 1e-6
        gap = abs(fmean(one) - fmean(other))
        error = sqrt(pstdev(one) ** 2 / len(one) + pstdev(other) ** 2 / len(other)) + 1e-6
        if gap > max(LARGE * spread, SURE * error, 1.0):
            differ.append(f"{name} {fmean(one):.0f} and {fmean(other):.0f}")
    if differ:
        what = f"train and test differ: {', '.join(differ)}"
        remedy = "see whether both were made alike: camera, scanner, site, file format"
        yield Finding("warning", "train-test", what, remedy, "pixel-statistics-differ")


def readable(seen: Seen, stream: str) -> list[ImageFacts]:
    return [seen.facts[i] for i in seen.splits.streams.get(stream, ()) if seen.facts[i].error is None]


def _measures(
    train: Sequence[ImageFacts], test: Sequence[ImageFacts]
) -> dict[str, tuple[list[float], list[float]]]:
    measures = {
        "brightness": lambda f: fmean(f.mean),
        "contrast": lambda f: fmean(f.std),
        "red less blue": lambda f: f.mean[0] - f.mean[2],
        "shorter side": lambda f: float(min(f.width, f.height)),
    }
    return {n: ([get(f) for f in train], [get(f) for f in test]) for n, get in measures.items()}


RULES = (pixel_statistics,)
