"""Examples that belong together by what the data itself says: one group (a patient, a scene), and time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from ftcli.findings import Finding
from ftcli.planner.audit_rules.seen import Seen, number, some
from ftcli.plans.data_splits import TEST, TRAIN


def groups(seen: Seen) -> Iterator[Finding]:
    streams: dict[str, set[str]] = {}
    for index, stream in seen.stream_of().items():
        group = getattr(seen.splits.examples[index], "group", None)
        if group is not None:
            streams.setdefault(group, set()).add(stream)
    torn = sorted(group for group, found in streams.items() if len(found) > 1)
    if torn:
        what = f"{number(len(torn), 'group')} of {len(streams):,} in two splits or more: {some(torn)}"
        remedy = "keep each group in one split: ftcli audit DATA --fix-split split.json"
        yield Finding("error", "groups", what, remedy, "group-in-two-splits")


def times(seen: Seen) -> Iterator[Finding]:
    """A model that is trained on what came after the test images has seen their future."""
    train, test = _moments(seen, TRAIN), _moments(seen, TEST)
    if not train or not test:
        return
    first = min(test)
    late = sum(moment > first for moment in train)
    if late:
        what = (
            f"{number(late, 'image')} of train ({late / len(train):.1%}) are later than the first of test, "
            f"{first:%Y-%m-%d %H:%M}"
        )
        yield Finding("error", "time", what, "split by time: test what comes last", "time-overlap")


def _moments(seen: Seen, stream: str) -> list[datetime]:
    found = (
        _moment(getattr(seen.splits.examples[i], "time", None)) for i in seen.splits.streams.get(stream, ())
    )
    return [moment for moment in found if moment is not None]


def _moment(text: str | None) -> datetime | None:
    """ISO 8601, or seconds since 1970; without a zone it is taken as UTC. None for anything else."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            return datetime.fromtimestamp(float(text), UTC)
        except (ValueError, OverflowError, OSError):
            return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


RULES = (groups, times)
