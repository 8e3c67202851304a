"""Examples that belong together by what the data itself says: one group (a patient, a scene), and time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ftcli.components.data._times import date_of, number_of
from ftcli.findings import Finding
from ftcli.planner.audit_rules.seen import Seen, fix_split, number, some
from ftcli.plans.data_splits import TEST, TRAIN, DataSplits


def groups(seen: Seen) -> Iterator[Finding]:
    streams: dict[str, set[str]] = {}
    for index, stream in seen.stream_of().items():
        group = getattr(seen.splits.examples[index], "group", None)
        if group is not None:
            streams.setdefault(group, set()).add(stream)
    torn = sorted(group for group, found in streams.items() if len(found) > 1)
    if torn:
        what = f"{number(len(torn), 'group')} of {len(streams):,} in two splits or more: {some(torn)}"
        remedy = f"keep each group in one split: {fix_split(seen)}"
        yield Finding("error", "groups", what, remedy, "group-in-two-splits")


def times(seen: Seen) -> Iterator[Finding]:
    """A model that is trained on what came after the test images has seen their future."""
    known = moments(seen.splits)
    train, test = (_of_stream(seen, stream, known) for stream in (TRAIN, TEST))
    if not train or not test:
        return
    first = min(test, key=known.__getitem__)
    late = sum(known[index] > known[first] for index in train)
    if late:
        what = (
            f"{number(late, seen.noun)} of train ({late / len(train):.1%}) are later than the first of test, "
            f"{seen.splits.examples[first].time}"
        )
        remedy = f"past trains, future tests: {fix_split(seen, '--set data.split.by=time')}"
        yield Finding("error", "time", what, remedy, "time-overlap")


def moments(splits: DataSplits) -> Mapping[int, float]:
    """Index -> its time as a number, of examples in a stream that have one.

    Dates are ISO 8601, taken as UTC without a zone. Numbers and dates cannot be compared: of a mixture the
    kind that there is more of is taken.
    """
    indices = [index for stream in splits.streams.values() for index in stream]
    texts = {i: splits.examples[i].time for i in indices if splits.examples[i].time is not None}
    numbers, dates = _read(texts, number_of), _read(texts, date_of)
    return numbers if len(numbers) > len(dates) else dates


def _of_stream(seen: Seen, stream: str, known: Mapping[int, float]) -> list[int]:
    return [index for index in seen.splits.streams.get(stream, ()) if index in known]


def _read(texts: Mapping[int, str | None], read: Callable[[str], float | None]) -> dict[int, float]:
    found = {index: read(text) for index, text in texts.items() if text is not None}
    return {index: moment for index, moment in found.items() if moment is not None}


RULES = (groups, times)
