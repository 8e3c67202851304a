"""What every source of data shares: the options, and the stratified split."""

from __future__ import annotations

import os.path
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from ftcli.errors import DataError
from ftcli.plans.data_splits import TEST, TRAIN, VAL, DataSplits
from ftcli.registry import Choice, Options

STREAM_NAMES = {"train": TRAIN, "val": VAL, "valid": VAL, "validation": VAL, "test": TEST}
"""What people call the streams, in lower case: names of folders, values of a manifest's split column."""

SourcePath = Annotated[str, Field(min_length=1), AfterValidator(os.path.expanduser)]
"""A file or folder, relative to the current directory; `~` is the home."""


class Split(Options):
    """Shares of every class for validation and test; used for what the source has not split itself."""

    val: float = Field(default=0.15, gt=0, lt=1)
    """Share of each class that chooses the best epoch; at least one image."""
    test: float = Field(default=0.15, gt=0, lt=1)
    """Share of each class kept for one look at the end; at least one image."""

    @model_validator(mode="after")
    def _leaves_something(self) -> Split:
        if self.val + self.test >= 1:
            raise ValueError(f"val {self.val} and test {self.test} leave nothing to train on")
        return self


class DataOptions(Choice):
    """Fields common to every source."""

    image_size: int | None = Field(default=None, ge=16, le=2048)
    """Side of the network's input in pixels; default the weights' own."""
    split: Split = Split()
    """Stratified by class, the same for the same seed; the run keeps a copy in split.json."""


def complete(splits: DataSplits, shares: Split, seed: int) -> DataSplits:
    """The splits with val and test split off train where the source has none.

    Raises DataError when there is one class only, or a class has no images in train, or too few to divide.
    """
    _check_classes(splits)
    wanted = {VAL: shares.val, TEST: shares.test}
    missing = {stream: share for stream, share in wanted.items() if stream not in splits.streams}
    parts: dict[str, list[int]] = defaultdict(list)
    for members in _members_of_classes(splits):
        for stream, chosen in _divide_class(splits, members, missing, seed).items():
            parts[stream] += chosen
    streams = {**splits.streams, **{stream: tuple(sorted(chosen)) for stream, chosen in parts.items()}}
    return replace(splits, streams={stream: streams[stream] for stream in (TRAIN, VAL, TEST)})


def _check_classes(splits: DataSplits) -> None:
    if len(splits.classes) < 2:
        what = f"{len(splits.classes)} class is not enough to tell apart: {_quoted(splits.classes)}"
        raise DataError(what, where=splits.source, remedy="give images of at least two classes")
    empty = [name for name, count in splits.count_per_class(TRAIN).items() if count == 0]
    if empty:
        remedy = "add images to train, or remove the class"
        raise DataError(f"no training images of {_quoted(empty)}", where=splits.source, remedy=remedy)


def _members_of_classes(splits: DataSplits) -> Iterable[list[int]]:
    members: dict[int, list[int]] = defaultdict(list)
    for index in splits.streams[TRAIN]:
        members[splits.examples[index].label].append(index)
    return members.values()


def _divide_class(
    splits: DataSplits, members: list[int], shares: dict[str, float], seed: int
) -> dict[str, list[int]]:
    """One class's training images, divided: val from one end of a seeded order, test from the other.

    The order is that of a hash of seed and key, so it depends neither on the file system nor on any
    library's random numbers, and images that are added later move few of the others.
    """
    ordered = sorted(members, key=lambda i: _hash(f"{seed}/{splits.examples[i].key}"))
    sizes = {stream: max(1, round(share * len(members))) for stream, share in shares.items()}
    left = len(members) - sum(sizes.values())
    if left < 1:
        name = splits.classes[splits.examples[members[0]].label]
        raise _too_few(splits.source, name, len(members), sizes)
    num_val = sizes.get(VAL, 0)
    parts = {
        VAL: ordered[:num_val],
        TRAIN: ordered[num_val : num_val + left],
        TEST: ordered[num_val + left :],
    }
    return {stream: part for stream, part in parts.items() if part}


def _hash(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogateescape")).digest()


def _too_few(source: str, name: str, count: int, sizes: dict[str, int]) -> DataError:
    taken = " and ".join(f"{size} for {stream}" for stream, size in sizes.items())
    what = f"class {name!r} has {count} image{'s' if count > 1 else ''}: {taken} leave none to train on"
    remedy = f"add images to it (at least {1 + len(sizes)} are needed), remove the class, or lower data.split"
    return DataError(what, where=source, remedy=remedy)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
