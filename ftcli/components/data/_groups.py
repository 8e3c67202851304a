"""Streams by group: what belongs together (a patient's images) is never divided. By scikit-learn's splitters."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from ftcli.errors import DataError
from ftcli.plans.data_splits import TEST, TRAIN, VAL, DataSplits

Streams = dict[str, tuple[int, ...]]

PROPOSALS = 20
MANY_GROUPS = 2_000
"""Above this chance alone comes near the shares, and StratifiedGroupKFold would take long."""


def take(splits: DataSplits, shares: dict[str, float], seed: int) -> Streams:
    """Train divided by the shares as nearly as whole groups allow, each class as evenly as they allow.

    Raises DataError when there are too few groups, or the groups leave a class without training images.
    """
    rest = _by_key(splits, splits.streams[TRAIN])
    _enough(splits, rest, 1 + len(shares))
    streams: Streams = {}
    left = 1.0
    ordered = [
        stream for stream in (TEST, VAL) if stream in shares
    ]  # the test is the same with or without a val
    for number, stream in enumerate(ordered):
        share = shares[stream]
        waiting = len(ordered) - number - 1
        part = _nearest(splits, rest, share / left, 1 + waiting, _seed(seed, stream))
        streams[stream] = tuple(part)
        chosen = set(part)
        rest = [i for i in rest if i not in chosen]
        left -= share
    return {**streams, TRAIN: tuple(rest)}


def fold(splits: DataSplits, folds: int, number: int, seed: int) -> Streams:
    """One part of StratifiedGroupKFold validates. Raises DataError when there are fewer groups than folds."""
    rest = _by_key(splits, splits.streams[TRAIN])
    _enough(splits, rest, folds)
    proposals = list(_stratified(splits, rest, folds, _seed(seed, "folds")))
    if not proposals or not proposals[number]:
        what = f"fold {number} of {folds} is empty: the groups do not divide so"
        raise DataError(what, where=splits.source, remedy="lower data.split.folds")
    chosen = set(proposals[number])
    return {VAL: tuple(proposals[number]), TRAIN: tuple(i for i in rest if i not in chosen)}


def _nearest(splits: DataSplits, rest: list[int], share: float, must_leave: int, seed: int) -> list[int]:
    """Of scikit-learn's proposals the one that comes nearest to `share` of every class.

    One that takes all of a class's images, or leaves fewer than `must_leave` groups, is taken last or never.
    """
    groups = _groups(splits, rest)
    proposals = [
        part
        for part in _proposals(splits, rest, share, seed)
        if part and len(groups) - len(_groups(splits, part)) >= must_leave
    ]
    if not proposals:
        raise _too_few(splits, len(groups), 1 + must_leave)
    return min(proposals, key=lambda part: _distance(splits, rest, part, share))


def _proposals(splits: DataSplits, rest: list[int], share: float, seed: int) -> Iterator[list[int]]:
    from sklearn.model_selection import GroupShuffleSplit

    names = [str(splits.examples[i].group) for i in rest]
    count = len(set(names))
    if count <= MANY_GROUPS and share <= 0.5:
        yield from _stratified(splits, rest, min(max(round(1 / share), 2), count), seed)
    size = min(max(round(share * count), 1), count - 1)
    shuffled = GroupShuffleSplit(n_splits=PROPOSALS, test_size=size, random_state=seed)
    for _, part in shuffled.split(rest, groups=names):
        yield [rest[i] for i in part]


def _stratified(splits: DataSplits, rest: list[int], parts: int, seed: int) -> Iterator[list[int]]:
    """StratifiedGroupKFold; nothing where it finds too few images of every class."""
    from sklearn.model_selection import StratifiedGroupKFold

    labels = [splits.strata[i] for i in rest]
    if max(Counter(labels).values()) < parts:
        return
    splitter = StratifiedGroupKFold(n_splits=parts, shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # a class of fewer images than parts: it stands in some of them only
        warnings.simplefilter("ignore")
        divided: list[Any] = list(splitter.split(rest, labels, [str(splits.examples[i].group) for i in rest]))
    for _, part in divided:
        yield [rest[i] for i in part]


def _distance(splits: DataSplits, rest: list[int], part: list[int], share: float) -> tuple[int, int, float]:
    """Classes that would be gone from what is left, classes that the part lacks, and how far off the shares are."""
    there, taken = _counts(splits, rest), _counts(splits, part)
    gone = sum(taken[label] == count for label, count in there.items())
    lacking = sum(label not in taken for label in there)
    off = sum(abs(taken[label] / count - share) for label, count in there.items())
    return gone, lacking, off + max(len(there), 1) * abs(len(part) / len(rest) - share)


def _counts(splits: DataSplits, indices: list[int]) -> Counter[int]:
    return Counter(label for i in indices for label in splits.examples[i].labels)


def _groups(splits: DataSplits, indices: list[int]) -> set[str | None]:
    return {splits.examples[i].group for i in indices}


def _by_key(splits: DataSplits, indices: tuple[int, ...]) -> list[int]:
    """In an order that is the same on every file system."""
    return sorted(indices, key=lambda i: splits.examples[i].key)


def _seed(seed: int, purpose: str) -> int:
    return int.from_bytes(sha256(f"{seed}/{purpose}".encode()).digest()[:4], "big")


def _enough(splits: DataSplits, indices: list[int], needed: int) -> None:
    count = len(_groups(splits, indices))
    if count < needed:
        raise _too_few(splits, count, needed)


def _too_few(splits: DataSplits, count: int, needed: int) -> DataError:
    what = f"{count} group{'s' if count != 1 else ''} to divide, but at least {needed} are needed"
    return DataError(
        what, where=splits.source, remedy=f"give {splits.noun}s of more groups, or split by ratio"
    )
