"""A data set of the Hugging Face library datasets: by its name on the hub, a folder of Arrow files, or local files.

Only the table is theirs. An image's bytes go through the opener that every other source uses, so that its formats,
its bounds and its treatment of EXIF and of 16 bits hold here too; and no code that comes with a data set is run.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from ftcli.errors import DataError
from ftcli.plans.data_splits import TEST, TRAIN, VAL, DataSplits, Example
from ftcli.registry import Options

from ._common import STREAM_NAMES, DataOptions, SourcePath, complete
from ._files import is_text, name_of
from ._hf_library import is_local, library, opened_by_library, quietly
from ._labels import numbers_of
from .image import decode

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["HfDataset", "is_local", "open_splits"]


_FACTS = {"group_column": "group", "time_column": "time", "weight_column": "weight"}
"""Option -> the field of an example that its column fills."""


class SplitNames(Options):
    """What the data set calls its splits. One that is not named is not read."""

    train: str = Field(default="train", min_length=1)
    """The split to train on."""
    val: str | None = Field(default=None, min_length=1)
    """The split that chooses the best epoch; without one it is taken from train."""
    test: str | None = Field(default=None, min_length=1)
    """The split of the test; without one it is taken from train."""


class HfDataset(DataOptions):
    """A Hugging Face data set, in its own splits; a val or test that it lacks is split off train.

    Needs `pip install 'ftcli[datasets]'`. Code that comes with a data set is never run.
    """

    kind: Literal["hf_dataset"]
    path: SourcePath
    """A folder of save_to_disk, a folder of Parquet or image files, a .parquet or .arrow file; else OWNER/NAME of the
    hub."""
    name: str | None = Field(default=None, min_length=1)
    """The configuration, of a data set that has several."""
    revision: str | None = Field(default=None, min_length=1)
    """The branch, tag or commit on the hub; a commit never changes."""
    splits: SplitNames | None = None
    """Which split is which, where they are not called train, validation and test: {train: NAME, test: NAME}."""
    image_column: str = Field(default="image", min_length=1)
    """The column of images."""
    label_column: str = Field(default="label", min_length=1)
    """The column of classes: a ClassLabel, whose names they are; or text or whole numbers."""
    multi_label: bool = False
    """Whether the column of classes holds lists: an image has any number of classes, none included."""
    group_column: str | None = None
    """The column of patients, scenes, videos, for split.by group."""
    time_column: str | None = None
    """The column of dates or numbers, for split.by time."""
    weight_column: str | None = None
    """The column of weights for train.sampler weighted."""


@dataclass(frozen=True, eq=False)
class _Table:
    """A split. `images` is the one column, undecoded; `classes` are the names of its ClassLabel, if it has one.

    `labels`: by row its classes, as numbers of `classes` or as names; exactly one where they are not multi-label.
    """

    stream: str
    name: str
    images: Any
    classes: tuple[str, ...] | None
    labels: list[tuple[Any, ...]]
    facts: list[dict[str, Any]]


def open_splits(options: HfDataset, seed: int) -> DataSplits:
    tables = [_table(options, stream, *split) for stream, split in _splits(options).items()]
    classes, number_of = _classes(options, tables)
    places = tuple((at, row) for at, table in enumerate(tables) for row in range(len(table.labels)))
    splits = DataSplits(
        source=options.path if options.name is None else f"{options.path} {options.name}",
        classes=classes,
        examples=tuple(
            Example(
                f"{table.name}/{row:07d}",
                numbers_of(labels, number_of, multi_label=options.multi_label),
                **facts,
            )
            for table in tables
            for row, (labels, facts) in enumerate(zip(table.labels, table.facts, strict=True))
        ),
        streams={
            table.stream: tuple(i for i, place in enumerate(places) if place[0] == at)
            for at, table in enumerate(tables)
        },
        load=partial(_load, options, tuple((table.name, table.images) for table in tables), places),
        multi_label=options.multi_label,
    )
    return complete(splits, options.split, seed, options.kind)


def _splits(options: HfDataset) -> dict[str, tuple[str, Any]]:
    """Stream -> the data set's name for it, and its rows. A lone table is train."""
    found = opened_by_library(options.path, options.name, options.revision)
    if not isinstance(found, dict):
        found = {"train": found}
    named = _named(options, list(found))
    empty = [name for name in named.values() if not len(found[name])]
    if empty:
        remedy = "name the splits to read: data.splits"
        raise DataError(f"split {empty[0]!r} has no rows", where=options.path, remedy=remedy)
    return {stream: (named[stream], found[named[stream]]) for stream in (TRAIN, VAL, TEST) if stream in named}


def _named(options: HfDataset, there: list[str]) -> dict[str, str]:
    """Stream -> the name of its split. Raises DataError with the names there are."""
    if options.splits is not None:
        return _as_asked(options, options.splits, there)
    streams = [STREAM_NAMES.get(name.lower()) for name in there]
    if None in streams or TRAIN not in streams or len(set(streams)) < len(streams):
        what = f"the splits are called {', '.join(there)}, and not train, validation and test"
        remedy = f"say which is which, data.splits: {{train: {there[0] if there else 'NAME'}, test: NAME}}"
        raise DataError(what, where=options.path, remedy=remedy)
    return {stream: name for stream, name in zip(streams, there, strict=True) if stream is not None}


def _as_asked(options: HfDataset, names: SplitNames, there: list[str]) -> dict[str, str]:
    asked = {TRAIN: names.train, VAL: names.val, TEST: names.test}
    named = {stream: name for stream, name in asked.items() if name is not None}
    missing = [name for name in named.values() if name not in there]
    if missing:
        what = f"there is no split {missing[0]!r}, but {', '.join(there)}"
        raise DataError(what, where=options.path, remedy="change data.splits")
    if len(set(named.values())) < len(named):
        what = "data.splits names one split twice: it would be trained on and looked at"
        remedy = "name each once; a val or test that is left out is taken from train"
        raise DataError(what, where=options.path, remedy=remedy)
    return named


def _table(options: HfDataset, stream: str, name: str, rows: Any) -> _Table:
    for option, column in _columns(options).items():
        if column not in rows.column_names:
            what = f"no column {column!r} in split {name!r}, but {', '.join(rows.column_names)}"
            raise DataError(what, where=options.path, remedy=f"change data.{option}")
    feature = rows.features[options.label_column]
    lists = getattr(feature, "feature", None)
    if (lists is not None) != options.multi_label:
        what = f"column {options.label_column!r} holds {'no lists' if lists is None else 'lists'}: {feature}"
        remedy = f"set data.multi_label: {str(lists is not None).lower()}, or change data.label_column"
        raise DataError(what, where=options.path, remedy=remedy)
    names = getattr(feature if lists is None else lists, "names", None)
    labels = [_labels(options, name, row, told, names) for row, told in enumerate(rows[options.label_column])]
    facts = list(_facts(options, name, rows))
    return _Table(
        stream, name, _undecoded(options, rows), None if names is None else tuple(names), labels, facts
    )


def _columns(options: HfDataset) -> dict[str, str]:
    """Option -> the column that it names."""
    every = ("image_column", "label_column", *_FACTS)
    return {option: name for option in every if (name := getattr(options, option)) is not None}


def _undecoded(options: HfDataset, rows: Any) -> Any:
    """The column of images as bytes or paths. Raises DataError for a column of something else."""
    datasets, column = library(), options.image_column
    feature = rows.features[column]
    are_bytes = getattr(feature, "dtype", None) in ("binary", "large_binary")
    are_both = isinstance(feature, dict) and set(feature) == {"bytes", "path"}
    if not (isinstance(feature, datasets.Image) or are_bytes or are_both):
        remedy = "name the column of images: data.image_column"
        raise DataError(f"column {column!r} holds no images: {feature}", where=options.path, remedy=remedy)
    with quietly():
        return rows.select_columns([column]).cast_column(column, datasets.Image(decode=False))


def _labels(options: HfDataset, split: str, row: int, told: Any, names: list[str] | None) -> tuple[Any, ...]:
    """The classes of a row, each once and in order."""
    if not options.multi_label:
        return (_label(options, split, row, told, names),)
    return tuple(sorted({_label(options, split, row, label, names) for label in told or ()}))


def _label(options: HfDataset, split: str, row: int, label: Any, names: list[str] | None) -> Any:
    """The number of a ClassLabel, else the class's name. Raises DataError: -1 is a label kept secret."""
    is_number = isinstance(label, int) and label >= 0
    if names is not None and is_number and label < len(names):
        return label
    text = str(label).strip()
    if names is None and (is_number or isinstance(label, str)) and text and is_text(text):
        return name_of(Path(text))
    remedy = "leave a split without labels out: data.splits; or name the column of classes: data.label_column"
    what = f"row {row} of split {split!r} has no class: {str(label)[:60]!r}"
    raise DataError(what, where=options.path, remedy=remedy)


def _classes(options: HfDataset, tables: list[_Table]) -> tuple[tuple[str, ...], dict[Any, int]]:
    """The names of the classes, and label -> the number of its class. ClassLabels keep their order."""
    declared = {table.classes for table in tables}
    if len(declared) > 1:
        what = "the splits do not have the same ClassLabel names"
        raise DataError(
            what, where=options.path, remedy="read one of them and split it: data.splits: {train: NAME}"
        )
    (classes,) = declared
    if classes is not None:
        return classes, {number: number for number in range(len(classes))}
    found = {label for table in tables for labels in table.labels for label in labels}
    numbered = all(name.isascii() and name.isdigit() for name in found)
    classes = tuple(sorted(found, key=int) if numbered else sorted(found))
    return classes, {name: number for number, name in enumerate(classes)}


def _facts(options: HfDataset, split: str, rows: Any) -> Iterator[dict[str, Any]]:
    """By row: group, time and weight as far as columns are named for them. Raises DataError for a bad weight."""
    columns = {
        field: list(rows[name])
        for option, field in _FACTS.items()
        if (name := getattr(options, option)) is not None
    }
    for row in range(len(rows)):
        told = {field: values[row] for field, values in columns.items() if values[row] not in (None, "")}
        facts: dict[str, Any] = {field: str(value) for field, value in told.items() if field != "weight"}
        weight = told.get("weight", 1.0)
        if not isinstance(weight, int | float) or not 0 <= weight < inf:
            what = f"row {row} of split {split!r}: weight {str(weight)[:60]!r} is no number of at least 0"
            raise DataError(what, where=options.path, remedy="mend it, or leave data.weight_column out")
        yield {**facts, "weight": float(weight)}


def _load(
    options: HfDataset,
    images: tuple[tuple[str, Any], ...],
    places: tuple[tuple[int, int], ...],
    index: int,
) -> Image:
    at, row = places[index]
    split, column = images[at]
    where = f"{options.path}: {split} row {row}"
    stored = column[row][options.image_column] or {}
    if stored.get("bytes") is not None:
        return decode(BytesIO(stored["bytes"]), where, options.max_pixels)
    path = stored.get("path")
    if not path or not os.path.isfile(path):  # neither an address, nor what a read would never return from
        what = f"cannot read the image: there is no file {path}" if path else "the row has no image"
        raise DataError(what, where=where, remedy="mend the row, or remove it")
    return decode(Path(path), f"{where}, {path}", options.max_pixels)
