"""How many images each class has, and where."""

from __future__ import annotations

from collections.abc import Iterator

from ftcli.findings import Finding
from ftcli.planner.audit_rules.seen import Seen, number, some
from ftcli.plans.data_splits import TRAIN

LOPSIDED = 10
"""The largest class of train is this many times the smallest."""
TINY = 10
"""Training images of a class below which its score is mostly luck."""


def imbalance(seen: Seen) -> Iterator[Finding]:
    counts = {name: count for name, count in seen.splits.count_per_class(TRAIN).items() if count}
    if not counts:
        return
    most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    if counts[most] >= LOPSIDED * counts[least]:
        what = f"{most} has {counts[most]:,} training {seen.noun}s, {least} has {counts[least]:,}"
        remedy = f"trust macro F1 rather than accuracy; add {seen.noun}s of the small classes"
        yield Finding("warning", "classes", what, remedy, "class-imbalance")


def tiny(seen: Seen) -> Iterator[Finding]:
    few = {n: c for n, c in seen.splits.count_per_class(TRAIN).items() if 0 < c < TINY}
    if few:
        verb = "has" if len(few) == 1 else "have"
        what = (
            f"{number(len(few), 'class').replace('classs', 'classes')} {verb} fewer than {TINY} training "
            f"{seen.noun}s: {some(f'{name} ({count})' for name, count in few.items())}"
        )
        yield Finding("warning", "classes", what, f"add {seen.noun}s, or join classes", "tiny-class")


def missing(seen: Seen) -> Iterator[Finding]:
    for stream in seen.splits.streams:
        empty = [name for name, count in seen.splits.count_per_class(stream).items() if not count]
        if empty:
            what = f"no {seen.noun}s of {some(empty)}"
            remedy = "the score says nothing of them" if stream != TRAIN else "nothing can be learned of them"
            yield Finding("warning", stream, what, f"add some: {remedy}", "class-missing-from-split")


RULES = (imbalance, tiny, missing)
