"""A split that an audit has mended, written, read again as training would, and audited as it was read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ftcli.components.data._checks import check_times
from ftcli.components.data._times import take as divide_by_time
from ftcli.engine.files import write_json
from ftcli.errors import DataError
from ftcli.findings import Finding
from ftcli.plans.audit import AuditReport
from ftcli.plans.data_splits import TEST, TRAIN, VAL, DataSplits, split_record
from ftcli.workflows.audit import Looked, look, report_of
from ftcli.workflows.audit_data import AuditedData, as_written

_RANK = {TRAIN: 0, VAL: 1, TEST: 2}
Ties = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Mended:
    """What was written, and what the audit finds in it now."""

    file: Path
    report: AuditReport
    moved: int
    left_out: Mapping[str, str]
    """Key -> why, of what the mending put into no stream."""

    @property
    def remains(self) -> tuple[Finding, ...]:
        """What is more than a remark."""
        return tuple(finding for finding in self.report.findings if finding.severity != "info")

    def to_dict(self) -> dict[str, Any]:
        told = self.report.to_dict()
        return {
            "file": str(self.file),
            **{name: told[name] for name in ("streams", "counts", "leaked", "findings")},
            "moved": self.moved,
            "left_out": dict(self.left_out),
        }


def write_mended(data: AuditedData, looked: Looked, report: AuditReport, file: Path) -> Mended:
    """The mended split as a file in the format of a run's split.json, and the audit of that file.

    Raises DataError, and writes nothing, when no such split can be trained on; MachineError when it cannot be
    written.
    """
    before = data.splits
    mended = mended_split(report, before, by_time=data.recipe.data.split.by == "time")
    write_json(file, split_record(mended))
    read = as_written(data, file)
    same = read.examples == before.examples  # else files came or went meanwhile: they are looked at anew
    again = report_of(read, looked if same else look(read), data.command)
    now = _stream_of(mended)
    return Mended(
        file,
        again,
        moved=sum(now.get(index, stream) != stream for index, stream in _stream_of(before).items()),
        left_out={key: why for key, why in mended.left_out.items() if key not in before.left_out},
    )


def mended_split(report: AuditReport, splits: DataSplits, *, by_time: bool = False) -> DataSplits:
    """The same data, everything that is tied in one stream each; what is tied to nothing stays where it is.

    One image under two labels is left out with all its copies: nobody but a person knows which label is right.
    `by_time`: the past trains and the future tests, whatever the source says. Raises DataError when a stream,
    or a class of train, would be left with nothing.
    """
    left = _left_out(splits, _two_labels(report, splits))
    if by_time:
        if any(finding.rule == "time-overlap" for finding in report.findings):
            left = _past_to_future(left)
        left = _left_out(left, _astray(left, report.tied))
    else:
        left = _together(left, report.tied)
    _check_something_left(left, splits)
    return replace(left, how="mended by ftcli audit", given=tuple(left.streams))


def _two_labels(report: AuditReport, splits: DataSplits) -> dict[int, str]:
    """Of each image with contradicting labels every copy, the rightly labelled ones too."""
    copies: dict[int, set[int]] = defaultdict(set)
    for pair in report.pairs:
        if pair.kind == "exact":  # all copies of an image are paired with the same first
            copies[pair.first] |= {pair.first, pair.second}
    reasons: dict[int, str] = {}
    for together in copies.values():
        labels = sorted({splits.label_name(i) for i in together})
        if len(labels) > 1:
            reasons |= dict.fromkeys(together, f"the same {splits.noun} is labelled {' and '.join(labels)}")
    return reasons


def _left_out(splits: DataSplits, reasons: Mapping[int, str]) -> DataSplits:
    streams = {s: tuple(i for i in indices if i not in reasons) for s, indices in splits.streams.items()}
    left_out = {splits.examples[i].key: why for i, why in sorted(reasons.items())}
    return replace(splits, streams=streams, left_out={**splits.left_out, **left_out})


def _past_to_future(splits: DataSplits) -> DataSplits:
    """The streams as large as they are, as nearly as equal times allow. Raises DataError without times."""
    check_times(splits)
    total = sum(map(len, splits.streams.values()))
    shares = {s: len(splits.streams[s]) / total for s in (VAL, TEST) if splits.streams.get(s)}
    whole = {TRAIN: tuple(sorted(_stream_of(splits)))}
    streams = divide_by_time(replace(splits, streams=whole), shares, 0)
    return replace(splits, streams={s: tuple(sorted(streams.get(s, ()))) for s in splits.streams})


def _astray(splits: DataSplits, tied: Ties) -> dict[int, str]:
    """Time decides the stream, so that what is tied across streams cannot move: the fewer of it are left out."""
    stream_of = _stream_of(splits)
    reasons = {}
    for ties in tied:
        there = [i for i in ties if i in stream_of]
        counts = Counter(stream_of[i] for i in there)
        if len(counts) < 2:
            continue
        kept = max(counts, key=lambda stream: (counts[stream], _RANK.get(stream, 9)))
        one = next(splits.examples[i].key for i in there if stream_of[i] == kept)
        why = f"a copy of {one} or of its group, which is in {kept}"
        reasons.update({i: why for i in there if stream_of[i] != kept})
    return reasons


def _together(splits: DataSplits, tied: Ties) -> DataSplits:
    """A tied set goes to the one of its own streams that lacks its classes most, so that the sizes stay near.

    To train where a class would else be left without training images.
    """
    stream_of = _stream_of(splits)
    label_of = splits.strata
    sets = [tuple(i for i in ties if i in stream_of) for ties in tied]
    torn = [ties for ties in sets if len({stream_of[i] for i in ties}) > 1]
    lacking: dict[tuple[str, int], int] = defaultdict(int)
    for index in (index for ties in torn for index in ties):
        lacking[stream_of[index], label_of[index]] += 1
    for ties in sorted(torn, key=lambda ties: (-len(ties), ties)):
        streams = sorted({stream_of[i] for i in ties}, key=lambda stream: _RANK.get(stream, 9))
        chosen = max(streams, key=_lacking_most(lacking, ties, label_of))
        for index in ties:
            stream_of[index] = chosen
            lacking[chosen, label_of[index]] -= 1
    _keep_classes_in_train(splits, torn, stream_of)
    streams_now = {s: tuple(sorted(i for i, at in stream_of.items() if at == s)) for s in splits.streams}
    return replace(splits, streams=streams_now)


def _lacking_most(
    lacking: Mapping[tuple[str, int], int], ties: tuple[int, ...], label_of: Sequence[int]
) -> Callable[[str], int]:
    return lambda stream: sum(lacking.get((stream, label_of[index]), 0) for index in ties)


def _keep_classes_in_train(
    splits: DataSplits, torn: list[tuple[int, ...]], stream_of: dict[int, str]
) -> None:
    """Sets go back to train until every class that had training images has some again."""
    wanted = {splits.strata[i] for i in splits.streams[TRAIN]}
    for ties in torn:
        there = {splits.strata[i] for i, stream in stream_of.items() if stream == TRAIN}
        if not wanted - there:
            return
        if {splits.strata[i] for i in ties} & (wanted - there):
            stream_of.update(dict.fromkeys(ties, TRAIN))


def _check_something_left(mended: DataSplits, before: DataSplits) -> None:
    """Raises DataError when the mended split could not be trained on."""
    trained_on = mended.count_per_class(TRAIN)
    gone = [f"nothing is left for {s}" for s in before.streams if not mended.streams[s]]
    gone += [f"no training examples are left of {name!r}" for name, count in trained_on.items() if not count]
    if gone:
        what = f"no split without leaks can be written: {'; '.join(gone)}"
        remedy = "add examples that are no copies and of other groups, or mend what the findings name"
        raise DataError(what, where=before.source, remedy=remedy)


def _stream_of(splits: DataSplits) -> dict[int, str]:
    return {index: stream for stream, indices in splits.streams.items() for index in indices}
