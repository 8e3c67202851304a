"""Texts in a table: a CSV file, or one of JSON lines, with a column of texts and one of their labels."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from ftcli.errors import DataError
from ftcli.plans.data_splits import TEST, TRAIN, VAL, DataSplits, Example

from ._columns import (
    ManifestOptions,
    labels_in,
    must_be_there,
    optional,
    read_rows,
    stream_in,
    told_at_once,
    weight_in,
)
from ._common import SourcePath, complete
from ._labels import Names, every_name, numbers_of
from ._texts import TextOptions, of_rows

_CONTENT = "text_column"


class TextTable(TextOptions, ManifestOptions):
    """A CSV file with a header, or JSON lines (.jsonl): a text and its label in every row.

    A val or test that no row names is split off train.
    """

    kind: Literal["text_csv"]
    path: SourcePath
    """The CSV or .jsonl file, relative to the current directory."""
    text_column: str = "text"
    """The column of texts; a cell may be empty, which is told."""


@dataclass(frozen=True)
class _Row:
    key: str
    text: str
    labels: Names
    stream: str
    group: str | None
    time: str | None
    weight: float


def open_splits(options: TextTable, seed: int) -> DataSplits:
    rows = _rows(options)
    streams = [stream for stream in (TRAIN, VAL, TEST) if any(row.stream == stream for row in rows)]
    if TRAIN not in streams:
        what = f"no row of column {options.split_column!r} says train" if rows else "no rows below the header"
        raise DataError(what, where=options.path)
    classes = tuple(options.label_columns or sorted(every_name(row.labels for row in rows)))
    label, many = {name: number for number, name in enumerate(classes)}, options.multi_label
    splits = DataSplits(
        source=options.path,
        classes=classes,
        examples=tuple(
            Example(r.key, numbers_of(r.labels, label, multi_label=many), r.group, r.time, r.weight)
            for r in rows
        ),
        streams={s: tuple(i for i, row in enumerate(rows) if row.stream == s) for s in streams},
        load=of_rows([row.text for row in rows]),
        multi_label=many,
        texts=True,
    )
    return complete(splits, options.split, seed, options.kind)


def _rows(options: TextTable) -> list[_Row]:
    """Every row, checked. Raises DataError that tells the first three rows at fault, by line."""
    rows: list[_Row] = []
    problems: list[str] = []
    for line, cells in read_rows(options, options.path, _CONTENT):
        try:
            if isinstance(cells, ValueError):
                raise cells
            rows.append(_row(options, len(rows), cells))
        except ValueError as error:
            problems.append(f"line {line}: {error}")
    told_at_once(problems, options.path, "mend these rows")
    return rows


def _row(options: TextTable, number: int, cells: dict[str, str]) -> _Row:
    """Raises ValueError with what is wrong."""
    must_be_there(options, _CONTENT, cells, may_be_empty=True)
    text = cells[options.text_column]
    return _Row(
        key=_key(number, text),
        text=text,
        labels=labels_in(options, cells),
        stream=stream_in(options.split_column, cells),
        group=optional(options.group_column, cells),
        time=optional(options.time_column, cells),
        weight=weight_in(options.weight_column, cells),
    )


def _key(number: int, text: str) -> str:
    """The row, from 0, and what stands in it: a run does not go on with a table whose texts have changed."""
    return f"row {number:07d} {sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
