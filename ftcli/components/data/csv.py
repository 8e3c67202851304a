"""A manifest: a CSV file, or one of JSON lines, that names each image, its label and, where it likes, its split."""

from __future__ import annotations

import os.path
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from ftcli.errors import DataError
from ftcli.plans.data_splits import TRAIN, DataSplits, Example

from ._common import STREAM_NAMES, DataOptions, SourcePath, complete
from ._files import is_text, name_of, opener
from ._labels import MaybeMultiLabel, Names, every_name, names_of, names_of_cells, numbers_of, shown
from ._manifest import rows_of

_SHOWN_HEADER = 200
_NAME_THEM = "separate the columns with commas, or name them: data.image_column, data.label_column"


class Manifest(DataOptions, MaybeMultiLabel):
    """A CSV file with a header, or JSON lines (.jsonl): Hugging Face's metadata.csv and metadata.jsonl too.

    A val or test that no row names is split off train. Both notations are one kind, as JPEG and PNG are: the
    columns are the same, and the suffix tells them apart.
    """

    kind: Literal["csv"]
    path: SourcePath
    """The CSV or .jsonl file, relative to the current directory."""
    root: SourcePath | None = None
    """The folder that its file names are relative to, and that none may leave; default the manifest's own."""
    image_column: str = "file_name"
    """The column of file names."""
    label_column: str = "label"
    """The column of class names."""
    label_columns: list[str] | None = Field(default=None, min_length=2)
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
    def _columns_differ(self) -> Manifest:
        columns = self.label_columns or []
        if len(set(columns)) < len(columns):
            raise ValueError("label_columns names a column twice")
        return self


@dataclass(frozen=True, order=True)
class _Row:
    key: str
    labels: Names
    stream: str
    file: Path
    group: str | None = field(compare=False)
    time: str | None = field(compare=False)
    weight: float = field(compare=False)


def open_splits(options: Manifest, seed: int) -> DataSplits:
    rows = sorted(_rows(options))
    streams = {row.stream for row in rows}
    if TRAIN not in streams:
        what = f"no row of column {options.split_column!r} says train" if rows else "no rows below the header"
        raise DataError(what, where=options.path)
    classes = tuple(options.label_columns or sorted(every_name(row.labels for row in rows)))
    label = {name: number for number, name in enumerate(classes)}
    many = options.multi_label
    splits = DataSplits(
        source=options.path,
        classes=classes,
        examples=tuple(
            Example(r.key, numbers_of(r.labels, label, multi_label=many), r.group, r.time, r.weight)
            for r in rows
        ),
        streams={s: tuple(i for i, row in enumerate(rows) if row.stream == s) for s in streams},
        load=opener((row.file for row in rows), options.max_pixels),
        files=tuple(row.file for row in rows),
        multi_label=many,
    )
    return complete(splits, options.split, seed, options.kind)


def _rows(options: Manifest) -> list[_Row]:
    """Every row, checked. Raises DataError that tells the first three rows at fault, by line."""
    manifest = Path(options.path)
    root = manifest.parent if options.root is None else Path(options.root)
    inside = os.path.realpath(root)
    header, lines = rows_of(manifest)
    if header is not None:
        _check_header(options, header)
    first_line: dict[str, int] = {}
    rows: list[_Row] = []
    problems: list[str] = []
    for line, cells in lines:
        try:
            if isinstance(cells, ValueError):
                raise cells
            row = _row(options, root, inside, cells)
            if row.key in first_line:
                raise ValueError(f"{shown(row.key)} again, first on line {first_line[row.key]}")
        except ValueError as error:
            problems.append(f"line {line}: {error}")
        else:
            first_line[row.key] = line
            rows.append(row)
    if problems:
        more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
        remedy = f"file names are relative to {root}"
        raise DataError("; ".join(problems[:3]) + more, where=options.path, remedy=remedy)
    return rows


def _columns(options: Manifest) -> Iterator[tuple[str, bool]]:
    """The columns that are read, and whether each must be there."""
    yield options.image_column, True
    yield from ((name, True) for name in options.label_columns or [options.label_column])
    for option in ("split_column", "group_column", "time_column", "weight_column"):
        name = getattr(options, option)
        if name is not None:
            yield name, name != Manifest.model_fields[option].default


def _check_header(options: Manifest, header: list[str]) -> None:
    count = Counter(header)
    for name, needed in _columns(options):
        if count[name] > 1:
            what = f"column {name!r} stands in the header {count[name]} times"
            raise DataError(what, where=options.path, remedy="rename or remove all but one")
        if needed and not count[name]:
            raise _no_column(options, name, header)


def _no_column(options: Manifest, name: str, header: list[str]) -> DataError:
    near = get_close_matches(name, header, n=1)
    remedy = f"nearest: {near[0]}" if near else _NAME_THEM
    names = ", ".join(name if name.isprintable() else ascii(name) for name in header)
    told = names[:_SHOWN_HEADER] if any(header) else "it is empty"
    return DataError(f"no column {name!r} in the header: {told}", where=options.path, remedy=remedy)


def _row(options: Manifest, root: Path, inside: str, cells: dict[str, str]) -> _Row:
    """Raises ValueError with what is wrong."""
    may_be_empty = set(options.label_columns or ([options.label_column] if options.multi_label else []))
    for column, needed in _columns(options):
        there = column in cells if column in may_be_empty else cells.get(column)
        if needed and not there:
            raise ValueError(f"column {column!r} is {'empty' if column in cells else 'missing'}")
    name = cells[options.image_column]
    return _Row(
        key=name_of(path := _inside(root, inside, name)),
        labels=_labels(options, cells),
        stream=_stream(options, cells),
        file=root / path,
        group=_optional(options.group_column, cells),
        time=_optional(options.time_column, cells),
        weight=_weight(_optional(options.weight_column, cells)),
    )


def _labels(options: Manifest, cells: dict[str, str]) -> Names:
    if options.label_columns is not None:
        return names_of_cells(options, options.label_columns, cells)
    return names_of(options, cells[options.label_column])


def _optional(column: str | None, cells: dict[str, str]) -> str | None:
    """The cell, or None where it is empty or there is no such column."""
    return cells.get(column) or None if column is not None else None


def _weight(text: str | None) -> float:
    try:
        value = 1.0 if text is None else float(text)
    except ValueError:
        value = -1.0
    if not isfinite(value) or value < 0:
        raise ValueError(f"weight {shown(text)} is no number of at least 0; null as weight_column ignores it")
    return value


def _stream(options: Manifest, cells: dict[str, str]) -> str:
    if options.split_column is None or options.split_column not in cells:
        return TRAIN
    value = cells[options.split_column]
    if value.lower() not in STREAM_NAMES:
        raise ValueError(f"split {shown(value)} is none of {', '.join(STREAM_NAMES)}")
    return STREAM_NAMES[value.lower()]


def _inside(root: Path, inside: str, name: str) -> Path:
    """The file's path relative to root. Raises ValueError when there is none, or it leads out, by a link too."""
    if not is_text(name):
        raise ValueError(f"file name {shown(name)} is not valid text")
    relative = Path(os.path.relpath(root / name, root))
    if ".." in relative.parts:
        raise ValueError(f"{shown(name)} lies outside {root}")
    if "\0" in name or not os.path.isfile(root / relative):
        raise ValueError(f"no file {shown(name)}")
    real = os.path.realpath(root / relative)
    if os.path.commonpath([real, inside]) != inside:
        raise ValueError(f"{shown(name)} lies outside {root}: it is a link to {real}")
    return relative
