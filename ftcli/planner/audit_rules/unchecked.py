"""What an audit could not look at, and why: a reader must not take silence for an all-clear."""

from __future__ import annotations

from collections.abc import Iterator

from ftcli.planner.audit_rules import names, shift, ties
from ftcli.planner.audit_rules.seen import Seen, number
from ftcli.plans.audit import LEAST_WORDS, NotChecked
from ftcli.plans.data_splits import TEST, TRAIN


def not_checked(seen: Seen) -> tuple[NotChecked, ...]:
    """One line for each check that the data gave no ground for, or only in part."""
    if seen.splits.texts:
        of_texts = (_split(seen), _groups(seen), _times(seen), _images(seen), _near_copies(seen))
        return tuple(line for part in of_texts for line in part)
    parts = (_split(seen), _groups(seen), _times(seen), _images(seen), _names(seen), _statistics(seen))
    return tuple(line for part in parts for line in part)


def _split(seen: Seen) -> Iterator[NotChecked]:
    drawn = seen.splits.drawn
    if drawn:
        verb = "was" if len(drawn) == 1 else "were"
        why = f"the data have none: {' and '.join(drawn)} {verb} drawn by ftcli"
        yield NotChecked("a split of their own", why)


def _groups(seen: Seen) -> Iterator[NotChecked]:
    used = list(seen.stream_of())
    without = sum(seen.splits.examples[index].group is None for index in used)
    if without == len(used):
        yield NotChecked("groups", "no column or pattern names them: data.group_column, data.group")
    elif without:
        yield NotChecked("groups", f"{without:,} of {number(len(used), seen.noun)} have none")


def _times(seen: Seen) -> Iterator[NotChecked]:
    used = list(seen.stream_of())
    given = sum(seen.splits.examples[index].time is not None for index in used)
    if not given:
        yield NotChecked("time", "no column names it: data.time_column")
        return
    known = ties.moments(seen.splits)
    if len(known) < len(used):
        why = f"{len(used) - len(known):,} of {number(len(used), seen.noun)} have none that can be read"
        yield NotChecked("time", why)


def _images(seen: Seen) -> Iterator[NotChecked]:
    broken = sum(facts.error is not None for facts in seen.facts)
    if broken:
        yield NotChecked("copies", f"{number(broken, seen.noun)} cannot be read")
    outside = len(seen.splits.examples) - len(seen.stream_of())
    if outside:
        verb = "belongs" if outside == 1 else "belong"
        yield NotChecked("copies", f"{number(outside, seen.noun)} {verb} to no split")


def _near_copies(seen: Seen) -> Iterator[NotChecked]:
    short = sum(facts.words < LEAST_WORDS for facts in seen.facts if facts.error is None)
    if short:
        few = f"{number(short, seen.noun)} of fewer than {LEAST_WORDS} words"
        why = f"{few}: they are copies where all words are the same"
        yield NotChecked("near copies", why)


def _names(seen: Seen) -> Iterator[NotChecked]:
    if not names.spoken(seen.splits.classes):
        yield NotChecked("labels in file names", "the names of the classes are too short to look for")


def _statistics(seen: Seen) -> Iterator[NotChecked]:
    few = [s for s in (TRAIN, TEST) if len(shift.readable(seen, s)) < shift.LEAST]
    if few:
        why = f"fewer than {shift.LEAST} images that can be read in {' and '.join(few)}"
        yield NotChecked("pixel statistics", why)
