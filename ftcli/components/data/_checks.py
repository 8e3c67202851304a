"""What every split has to fulfil, whoever made it."""

from __future__ import annotations

from collections.abc import Iterable

from ftcli.errors import DataError
from ftcli.plans.data_splits import TRAIN, DataSplits


def check_classes(splits: DataSplits) -> None:
    """Raises DataError when there is nothing to tell apart."""
    if len(splits.classes) < 2:
        what = f"{len(splits.classes)} class is not enough to tell apart: {quoted(splits.classes)}"
        raise DataError(what, where=splits.source, remedy="give images of at least two classes")


def check_train(splits: DataSplits) -> None:
    """Raises DataError that names the classes of which there is nothing to train on."""
    empty = [name for name, count in splits.count_per_class(TRAIN).items() if count == 0]
    if empty:
        remedy = "add images to train, or remove the class"
        raise DataError(f"no training images of {quoted(empty)}", where=splits.source, remedy=remedy)


def check_groups(splits: DataSplits) -> None:
    """Raises DataError when an example has no group, or a group stands in two streams."""
    used = [(stream, i) for stream, indices in splits.streams.items() for i in indices]
    without = [i for _, i in used if splits.examples[i].group is None]
    if without:
        first = splits.examples[without[0]].key
        what = f"split by group, but {len(without)} of {len(used)} images have no group, {first!r} first"
        raise DataError(what, where=splits.source, remedy=GROUP_REMEDY)
    stream_of: dict[str | None, str] = {}
    for stream, i in used:
        group = splits.examples[i].group
        other = stream_of.setdefault(group, stream)
        if other != stream:
            what = f"group {group!r} stands in {other} and in {stream}"
            remedy = "move each group into one of them, or leave the split to ftcli"
            raise DataError(what, where=splits.source, remedy=remedy)


def quoted(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)


GROUP_REMEDY = (
    "kind folder: data.group is a regular expression for the path, patient(\\d+); kind csv: fill the column of "
    "data.group_column"
)
