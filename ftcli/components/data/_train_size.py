"""Fewer training examples than there are: of each class its share, and the fewer always among the more."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from ftcli.errors import DataError
from ftcli.plans.data_splits import TRAIN, DataSplits

from ._ratio import seeded


def cut_train(splits: DataSplits, size: int | None, seed: int) -> DataSplits:
    """The same val and test, and the first `size` examples of train in an order that depends on no size.

    None leaves all of it. Raises DataError where there are fewer, or a class would have none.
    """
    if size is None:
        return splits
    there = len(splits.streams[TRAIN])
    if size > there:
        what = f"train has {there:,} {splits.noun}s, fewer than the {size:,} asked for"
        raise _refused(what, f"set data.split.train_size to at most {there}")
    kept = _in_nested_order(splits, seed)[:size]
    done = replace(splits, streams={**splits.streams, TRAIN: tuple(sorted(kept))})
    missing = [name for name, count in done.count_per_class(TRAIN).items() if not count]
    if missing:
        what = f"of {size:,} training {splits.noun}s none is of class {missing[0]!r}"
        raise _refused(what, f"set data.split.train_size to {len(splits.classes)} or more")
    said = f"{size:,} of {there:,} training {splits.noun}s"
    return replace(done, how="; ".join(part for part in (splits.how, said) if part))


def _refused(what: str, remedy: str) -> DataError:
    return DataError(what, where="data.split.train_size", remedy=remedy)


def _in_nested_order(splits: DataSplits, seed: int) -> list[int]:
    """One image of every class, then each class spread evenly: wherever the order is cut, classes have their shares.

    An image comes at (its place in its class + 1/2) / (images of its class), as far as the whole is.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for index in splits.streams[TRAIN]:
        members[splits.strata[index]].append(index)
    places = [
        (place > 0, (place + 0.5) / len(indices), stratum, index)
        for stratum, indices in members.items()
        for place, index in enumerate(seeded(splits, indices, seed))
    ]
    return [index for *_, index in sorted(places)]
