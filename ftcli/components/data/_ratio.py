"""Streams by ratio: a share of every class, from a seeded order that nothing else decides."""

from __future__ import annotations

from collections import defaultdict
from hashlib import sha256

from ftcli.errors import DataError
from ftcli.plans.data_splits import TEST, TRAIN, VAL, DataSplits

Streams = dict[str, tuple[int, ...]]


def take(splits: DataSplits, shares: dict[str, float], seed: int) -> Streams:
    """Train divided by the shares, class by class. Raises DataError when a class is too small for it."""
    parts: dict[str, list[int]] = defaultdict(list)
    for members in _members_of_classes(splits, least=1 + len(shares)):
        if splits.multi_label and len(members) <= len(shares):
            parts[TRAIN] += members
            continue
        for stream, chosen in _divide_class(splits, members, shares, seed).items():
            parts[stream] += chosen
    return {stream: tuple(chosen) for stream, chosen in parts.items()}


def fold(splits: DataSplits, folds: int, number: int, seed: int) -> Streams:
    """Of each class every folds-th image of the seeded order validates, the others train.

    The classes begin at different folds, so that what is left over does not gather in the first.
    """
    parts: dict[str, list[int]] = {TRAIN: [], VAL: []}
    for members in _members_of_classes(splits, least=2):
        label = splits.strata[members[0]]
        if splits.multi_label and len(members) < 2:
            parts[TRAIN] += members
            continue
        if len(members) < 2:
            remedy = (
                f"add {splits.noun}s to it (at least 2 are needed beside the test's), or remove the class"
            )
            what = f"class {splits.stratum_name(label)!r} has 1 {splits.noun}, which cannot be divided into folds"
            raise DataError(what, where=splits.source, remedy=remedy)
        for place, index in enumerate(seeded(splits, members, seed)):
            parts[VAL if (place + label) % folds == number else TRAIN].append(index)
    if not parts[VAL]:
        what = f"fold {number} of {folds} is empty"
        raise DataError(what, where=splits.source, remedy=f"lower data.split.folds, or add {splits.noun}s")
    return {stream: tuple(chosen) for stream, chosen in parts.items()}


def _members_of_classes(splits: DataSplits, least: int) -> list[list[int]]:
    """Training images by class. Of those with several, the strata that are too small to divide are divided as one."""
    members: dict[int, list[int]] = defaultdict(list)
    for index in splits.streams[TRAIN]:
        members[splits.strata[index]].append(index)
    if not splits.multi_label:
        return list(members.values())
    small = [index for images in members.values() if len(images) < least for index in images]
    large = [images for images in members.values() if len(images) >= least]
    return [*large, small] if small else large


def _divide_class(
    splits: DataSplits, members: list[int], shares: dict[str, float], seed: int
) -> dict[str, list[int]]:
    """One class's training images, divided: val from one end of a seeded order, test from the other."""
    ordered = seeded(splits, members, seed)
    sizes = {stream: max(1, round(share * len(members))) for stream, share in shares.items()}
    left = len(members) - sum(sizes.values())
    if left < 1:
        raise _too_few(splits, members, sizes)
    num_val = sizes.get(VAL, 0)
    parts = {
        VAL: ordered[:num_val],
        TRAIN: ordered[num_val : num_val + left],
        TEST: ordered[num_val + left :],
    }
    return {stream: part for stream, part in parts.items() if part}


def seeded(splits: DataSplits, members: list[int], seed: int) -> list[int]:
    """In the order of a hash of seed and key: it depends neither on the file system nor on any library's
    random numbers, and images that are added later move few of the others.
    """
    return sorted(members, key=lambda i: _hash(f"{seed}/{splits.examples[i].key}"))


def _hash(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogateescape")).digest()


def _too_few(splits: DataSplits, members: list[int], sizes: dict[str, int]) -> DataError:
    name, count = splits.stratum_name(splits.strata[members[0]]), len(members)
    taken = " and ".join(f"{size} for {stream}" for stream, size in sizes.items())
    what = (
        f"class {name!r} has {count} {splits.noun}{'s' if count > 1 else ''}: {taken} leave none to train on"
    )
    remedy = f"add {splits.noun}s to it (at least {1 + len(sizes)} are needed), remove the class, or lower data.split"
    return DataError(what, where=splits.source, remedy=remedy)
