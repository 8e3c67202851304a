"""Streams by time: the newest are tested on, those before them validate, the past trains."""

from __future__ import annotations

from datetime import UTC, datetime
from math import isfinite

from ftcli.errors import DataError
from ftcli.plans.data_splits import TEST, TRAIN, VAL, DataSplits

Streams = dict[str, tuple[int, ...]]


def take(splits: DataSplits, shares: dict[str, float], seed: int) -> Streams:
    """Train divided by time, as nearly by the shares as equal times allow: they stay together.

    Each has a time (`check_times`). Raises DataError when one cannot be read, or when there are too few different ones.
    """
    moments = _moments(splits)
    at: dict[float, list[int]] = {}
    for index in splits.streams[TRAIN]:
        at.setdefault(moments[index], []).append(index)
    times = sorted(at)
    wanted = [(stream, shares[stream]) for stream in (TEST, VAL) if stream in shares]
    if len(times) < 1 + len(wanted):
        what = f"{len(times)} different times, but at least {1 + len(wanted)} are needed to split by time"
        raise DataError(what, where=splits.source, remedy="give finer times, or split by ratio")
    total = len(splits.streams[TRAIN])
    streams: Streams = {}
    for number, (stream, share) in enumerate(wanted):
        most = len(times) - (len(wanted) - number)  # so many times may go, for the others need one each
        count = _nearest([len(at[time]) for time in reversed(times)][:most], share * total)
        streams[stream] = tuple(i for time in times[-count:] for i in at[time])
        times = times[:-count]
    return {**streams, TRAIN: tuple(i for time in times for i in at[time])}


def told(splits: DataSplits, streams: list[str]) -> str:
    """From when on validation and test are: "by time: val from 2021-03-01, test from 2022"."""
    if not streams:
        return ""
    moments = _moments(splits)
    first = {s: min(splits.streams[s], key=lambda i: moments[i]) for s in streams}
    return "by time: " + ", ".join(f"{s} from {splits.examples[i].time}" for s, i in first.items())


def _nearest(sizes: list[int], target: float) -> int:
    """How many of these, from the first on, come nearest to `target` together; at least one."""
    best, sum_, off = 1, 0, float("inf")
    for number, size in enumerate(sizes, 1):
        sum_ += size
        if abs(sum_ - target) < off:
            best, off = number, abs(sum_ - target)
    return best


def _moments(splits: DataSplits) -> dict[int, float]:
    """Index -> the time as a number. Numbers and dates are not compared with each other."""
    used = [i for indices in splits.streams.values() for i in indices]
    texts = {i: str(splits.examples[i].time) for i in used}
    for read in (number_of, date_of):
        moments = {i: read(text) for i, text in texts.items()}
        bad = [i for i in used if moments[i] is None]
        if not bad:
            return {i: moment for i, moment in moments.items() if moment is not None}
    what = f"not every time is a date, and not every one a number: {texts[bad[0]]!r} of {splits.examples[bad[0]].key!r}"
    remedy = "write dates as 2024-05-31 or 2024-05-31T14:00:00, or all of them as numbers"
    raise DataError(what, where=splits.source, remedy=remedy)


def number_of(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


def date_of(text: str) -> float | None:
    """Seconds since 1970. A date without a zone is taken for UTC."""
    for form in ("%Y-%m", None):
        try:
            date = datetime.strptime(text, form) if form else datetime.fromisoformat(text)
            return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            continue
    return None
