"""A table of the Hugging Face library datasets: its splits, the classes of its rows, and what else is told of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from pydantic import Field

from ftcli.errors import DataError
from ftcli.plans.data_splits import TEST, TRAIN, VAL, DataSplits, Example
from ftcli.registry import Options

from ._common import STREAM_NAMES, SourcePath
from ._files import is_text, name_of
from ._hf_library import opened_by_library
from ._labels import numbers_of

Content = Callable[[str, Any], Any]
"""From the name of a split and its rows to the one column of contents. Raises DataError where it holds none."""

_FACTS = {"group_column": "group", "time_column": "time", "weight_column": "weight"}
"""Option -> the field of an example that its column fills."""


class SplitNames(Options):
    """What the data set calls its splits. One that is not named is not read."""

    train: str = Field(default="train", min_length=1)
    """The split to train on."""
    val: str | None = Field(default=None, min_length=1)
    """The split that epochs are compared on; without one it is taken from train."""
    test: str | None = Field(default=None, min_length=1)
    """The split of the test; without one it is taken from train."""


class HfTableOptions(Options):
    """The options of every table of the library."""

    path: SourcePath
    """A folder of save_to_disk, a folder of Parquet or image files, a .parquet or .arrow file; else
    OWNER/NAME of the hub."""
    name: str | None = Field(default=None, min_length=1)
    """The configuration, of a data set that has several."""
    revision: str | None = Field(default=None, min_length=1)
    """The branch, tag or commit on the hub; a commit never changes."""
    splits: SplitNames | None = None
    """Which split is which, where they are not called train, validation and test: {train: NAME, test: NAME}."""
    label_column: str = Field(default="label", min_length=1)
    """The column of classes: a ClassLabel, whose names they are; or text or whole numbers."""
    multi_label: bool = False
    """Whether the column of classes holds lists: an example has any number of classes, none included."""
    group_column: str | None = None
    """The column of patients, scenes, authors, for split.by group."""
    time_column: str | None = None
    """The column of dates or numbers, for split.by time."""
    weight_column: str | None = None
    """The column of weights for train.sampler weighted."""


@dataclass(frozen=True, eq=False)
class Table:
    """A split. `contents` is the one column, undecoded; `classes` are the names of its ClassLabel, if it has one.

    `labels`: by row its classes, as numbers of `classes` or as names; exactly one where they are not multi-label.
    """

    stream: str
    name: str
    contents: Any
    classes: tuple[str, ...] | None
    labels: list[tuple[Any, ...]]
    facts: list[dict[str, Any]]


Place = tuple[int, int]
"""A table's number, and the row in it."""


def tables_of(options: HfTableOptions, content_option: str, content: Content) -> list[Table]:
    """In the order of train, val and test; a lone one is train. Raises DataError."""
    found = _splits(options)
    return [_table(options, content_option, content, stream, *split) for stream, split in found.items()]


def places_of(tables: Sequence[Table]) -> tuple[Place, ...]:
    """Of every example, in order."""
    return tuple((at, row) for at, table in enumerate(tables) for row in range(len(table.labels)))


def splits_of(
    options: HfTableOptions,
    tables: Sequence[Table],
    load: Callable[[int], Any],
    key: Callable[[Table, int], str],
    *,
    texts: bool = False,
) -> DataSplits:
    """The examples of the tables. `key` names a row."""
    classes, number_of = _classes(options, tables)
    places = places_of(tables)
    return DataSplits(
        source=options.path if options.name is None else f"{options.path} {options.name}",
        classes=classes,
        examples=tuple(
            Example(
                key(table, row),
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
        load=load,
        multi_label=options.multi_label,
        texts=texts,
    )


def _splits(options: HfTableOptions) -> dict[str, tuple[str, Any]]:
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


def _named(options: HfTableOptions, there: list[str]) -> dict[str, str]:
    """Stream -> the name of its split. Raises DataError with the names there are."""
    if options.splits is not None:
        return _as_asked(options, options.splits, there)
    streams = [STREAM_NAMES.get(name.lower()) for name in there]
    if None in streams or TRAIN not in streams or len(set(streams)) < len(streams):
        what = f"the splits are called {', '.join(there)}, and not train, validation and test"
        remedy = f"say which is which, data.splits: {{train: {there[0] if there else 'NAME'}, test: NAME}}"
        raise DataError(what, where=options.path, remedy=remedy)
    return {stream: name for stream, name in zip(streams, there, strict=True) if stream is not None}


def _as_asked(options: HfTableOptions, names: SplitNames, there: list[str]) -> dict[str, str]:
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


def _table(
    options: HfTableOptions, content_option: str, content: Content, stream: str, name: str, rows: Any
) -> Table:
    for option, column in _columns(options, content_option).items():
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
    classes = None if names is None else tuple(names)
    return Table(stream, name, content(name, rows), classes, labels, facts)


def _columns(options: HfTableOptions, content_option: str) -> dict[str, str]:
    """Option -> the column that it names."""
    every = (content_option, "label_column", *_FACTS)
    return {option: name for option in every if (name := getattr(options, option)) is not None}


def _labels(
    options: HfTableOptions, split: str, row: int, told: Any, names: list[str] | None
) -> tuple[Any, ...]:
    """The classes of a row, each once and in order."""
    if not options.multi_label:
        return (_label(options, split, row, told, names),)
    return tuple(sorted({_label(options, split, row, label, names) for label in told or ()}))


def _label(options: HfTableOptions, split: str, row: int, label: Any, names: list[str] | None) -> Any:
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


def _classes(options: HfTableOptions, tables: Sequence[Table]) -> tuple[tuple[str, ...], dict[Any, int]]:
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


def _facts(options: HfTableOptions, split: str, rows: Any) -> Iterator[dict[str, Any]]:
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
