"""The columns of a manifest that tell an example's label, split, group, time and weight, whatever the example is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from ftcli.errors import DataError
from ftcli.plans.data_splits import TEST, TRAIN, VAL, DataSplits, Example
from ftcli.registry import Many

from ._common import STREAM_NAMES
from ._labels import MaybeMultiLabel, Names, every_name, names_of, names_of_cells, numbers_of, shown
from ._manifest import Rows, rows_of

_SHOWN_HEADER = 200
_SHOWN_ROWS = 3
_MAY_BE_MISSING = ("split_column", "group_column", "time_column", "weight_column")
"""Options whose columns need not be there while they have their default names."""


class ManifestOptions(MaybeMultiLabel):
    """The options of every manifest."""

    label_column: str = "label"
    """The column of class names."""
    label_columns: Many[str] | None = Field(default=None, min_length=2)
    """A column for each class instead, of 1 and 0; several of them may be 1 where multi_label is true."""
    split_column: str | None = "split"
    """The column of train, val (valid, validation) or test; may be missing under its default name. null: never read."""
    group_column: str | None = "group"
    """The column of patients, scenes, videos, for split.by group; may be missing likewise. null: never read."""
    time_column: str | None = "time"
    """The column of dates (ISO 8601) or numbers, for split.by time; may be missing likewise. null: never read."""
    weight_column: str | None = "weight"
    """The column of weights for train.sampler weighted, 1 where empty; may be missing likewise. null: never read."""

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        columns = self.label_columns or ()
        if len(set(columns)) < len(columns):
            raise ValueError("label_columns names a column twice")
        return self


@dataclass(frozen=True)
class Row:
    """What a row tells of its example, beside the example itself."""

    key: str
    labels: Names
    stream: str
    group: str | None
    time: str | None
    weight: float


def read_rows(options: ManifestOptions, path: str, content_column: str) -> Rows:
    """The rows of the file; its header, where it has one, names every column that is needed. Raises DataError.

    `content_column` is that of the examples themselves, an option `*_column` by name.
    """
    header, rows = rows_of(Path(path))
    if header is not None:
        _check_header(options, path, content_column, header)
    return rows


def told_at_once(problems: Sequence[str], where: str, remedy: str) -> None:
    """Raises DataError that tells the first three rows at fault, by line; none where there are none."""
    if problems:
        more = f"; and {len(problems) - _SHOWN_ROWS} more" if len(problems) > _SHOWN_ROWS else ""
        raise DataError("; ".join(problems[:_SHOWN_ROWS]) + more, where=where, remedy=remedy)


def must_be_there(
    options: ManifestOptions, content_column: str, cells: dict[str, str], *, may_be_empty: bool = False
) -> None:
    """Raises ValueError for a row that lacks a column, or has an empty cell where none may be.

    `may_be_empty`: whether the example itself may.
    """
    empties = set(options.label_columns or ([options.label_column] if options.multi_label else []))
    if may_be_empty:
        empties.add(getattr(options, content_column))
    for column, needed in _columns(options, content_column):
        there = column in cells if column in empties else cells.get(column)
        if needed and not there:
            raise ValueError(f"column {column!r} is {'empty' if column in cells else 'missing'}")


def row_of(options: ManifestOptions, key: str, cells: dict[str, str]) -> Row:
    """Raises ValueError with what is wrong."""
    return Row(
        key=key,
        labels=_labels_in(options, cells),
        stream=_stream_in(options.split_column, cells),
        group=_optional(options.group_column, cells),
        time=_optional(options.time_column, cells),
        weight=_weight_in(options.weight_column, cells),
    )


def splits_of(
    options: ManifestOptions, path: str, rows: Sequence[Row], load: Callable[[int], Any], **more: Any
) -> DataSplits:
    """The streams that the rows name; `more` are fields of DataSplits. Raises DataError where none is train."""
    streams = [stream for stream in (TRAIN, VAL, TEST) if any(row.stream == stream for row in rows)]
    if TRAIN not in streams:
        what = f"no row of column {options.split_column!r} says train" if rows else "no rows below the header"
        raise DataError(what, where=path)
    classes = tuple(options.label_columns or sorted(every_name(row.labels for row in rows)))
    label, many = {name: number for number, name in enumerate(classes)}, options.multi_label
    return DataSplits(
        source=path,
        classes=classes,
        examples=tuple(
            Example(r.key, numbers_of(r.labels, label, multi_label=many), r.group, r.time, r.weight)
            for r in rows
        ),
        streams={s: tuple(i for i, row in enumerate(rows) if row.stream == s) for s in streams},
        load=load,
        multi_label=many,
        **more,
    )


def _labels_in(options: ManifestOptions, cells: dict[str, str]) -> Names:
    """Raises ValueError."""
    if options.label_columns is not None:
        return names_of_cells(options, options.label_columns, cells)
    return names_of(options, cells[options.label_column])


def _optional(column: str | None, cells: dict[str, str]) -> str | None:
    """The cell, or None where it is empty or there is no such column."""
    return cells.get(column) or None if column is not None else None


def _weight_in(column: str | None, cells: dict[str, str]) -> float:
    """1 where there is none. Raises ValueError."""
    text = _optional(column, cells)
    try:
        value = 1.0 if text is None else float(text)
    except ValueError:
        value = -1.0
    if not isfinite(value) or value < 0:
        raise ValueError(f"weight {shown(text)} is no number of at least 0; null as weight_column ignores it")
    return value


def _stream_in(column: str | None, cells: dict[str, str]) -> str:
    """train where the row does not say. Raises ValueError."""
    if column is None or column not in cells:
        return TRAIN
    value = cells[column]
    if value.lower() not in STREAM_NAMES:
        raise ValueError(f"split {shown(value)} is none of {', '.join(STREAM_NAMES)}")
    return STREAM_NAMES[value.lower()]


def _columns(options: ManifestOptions, content_column: str) -> Iterator[tuple[str, bool]]:
    """The columns that are read, and whether each must be there."""
    yield getattr(options, content_column), True
    yield from ((name, True) for name in options.label_columns or (options.label_column,))
    for option in _MAY_BE_MISSING:
        name = getattr(options, option)
        if name is not None:
            yield name, name != ManifestOptions.model_fields[option].default


def _check_header(options: ManifestOptions, path: str, content_column: str, header: list[str]) -> None:
    count = Counter(header)
    for name, needed in _columns(options, content_column):
        if count[name] > 1:
            what = f"column {name!r} stands in the header {count[name]} times"
            raise DataError(what, where=path, remedy="rename or remove all but one")
        if needed and not count[name]:
            name_them = (
                f"separate the columns with commas, or name them: data.{content_column}, data.label_column"
            )
            raise _no_column(path, name, header, name_them)


def _no_column(path: str, name: str, header: list[str], name_them: str) -> DataError:
    near = get_close_matches(name, header, n=1)
    names = ", ".join(name if name.isprintable() else ascii(name) for name in header)
    told = names[:_SHOWN_HEADER] if any(header) else "it is empty"
    remedy = f"nearest: {near[0]}" if near else name_them
    return DataError(f"no column {name!r} in the header: {told}", where=path, remedy=remedy)
