"""A manifest: a CSV file that names each image, its label and, where it likes, its split."""

from __future__ import annotations

import csv
import os.path
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from ftcli.errors import DataError
from ftcli.plans.data_splits import TRAIN, DataSplits, Example

from ._common import STREAM_NAMES, DataOptions, SourcePath, complete
from ._files import name_of, opener

DEFAULT_SPLIT_COLUMN = "split"


class Manifest(DataOptions):
    """A CSV file with a header. A val or test that no row names is split off train."""

    kind: Literal["csv"]
    path: SourcePath
    """The CSV file, relative to the current directory."""
    root: SourcePath | None = None
    """The folder that its file names are relative to, and that none may leave; default the CSV file's own."""
    image_column: str = "file_name"
    """The column of file names."""
    label_column: str = "label"
    """The column of class names."""
    split_column: str | None = DEFAULT_SPLIT_COLUMN
    """The column of train, val (valid, validation) or test; may be missing under its default name. null: never read."""


@dataclass(frozen=True, order=True)
class _Row:
    key: str
    label: str
    stream: str
    file: Path


def open_splits(options: Manifest, seed: int) -> DataSplits:
    rows = sorted(_rows(options))
    streams = {row.stream for row in rows}
    if TRAIN not in streams:
        what = f"no row of column {options.split_column!r} says train" if rows else "no rows below the header"
        raise DataError(what, where=options.path)
    classes = tuple(sorted({row.label for row in rows}))
    label = {name: number for number, name in enumerate(classes)}
    splits = DataSplits(
        source=options.path,
        classes=classes,
        examples=tuple(Example(row.key, label[row.label]) for row in rows),
        streams={s: tuple(i for i, row in enumerate(rows) if row.stream == s) for s in streams},
        load=opener(row.file for row in rows),
        files=tuple(row.file for row in rows),
    )
    return complete(splits, options.split, seed)


def _rows(options: Manifest) -> list[_Row]:
    """Every row, checked. Raises DataError that tells the first three rows at fault, by line."""
    manifest = Path(options.path)
    root = manifest.parent if options.root is None else Path(options.root)
    first_line: dict[str, int] = {}
    rows: list[_Row] = []
    problems: list[str] = []
    for line, cells in _lines(options, manifest):
        try:
            row = _row(options, root, cells)
            if row.key in first_line:
                raise ValueError(f"{row.key!r} again, first on line {first_line[row.key]}")
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


def _lines(options: Manifest, manifest: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number in the file (the header is 1) and cells by column, without blanks around them."""
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restkey="", restval="", skipinitialspace=True)
            _check_header(options, list(reader.fieldnames or ()))
            for cells in reader:
                yield reader.line_num, {name: cell.strip() for name, cell in cells.items() if name}
    except OSError as error:
        remedy = "paths are relative to the current directory"
        raise DataError(f"cannot read it: {error.strerror}", where=options.path, remedy=remedy) from error
    except (ValueError, csv.Error) as error:
        raise DataError(f"not a CSV file in UTF-8: {error}", where=options.path) from error


def _check_header(options: Manifest, header: list[str]) -> None:
    wanted = [options.image_column, options.label_column]
    if options.split_column not in (None, DEFAULT_SPLIT_COLUMN):
        wanted.append(options.split_column)
    for name in wanted:
        if name not in header:
            near = get_close_matches(name, header, n=1)
            remedy = (
                f"nearest: {near[0]}"
                if near
                else "separate the columns with commas, or name them in the recipe"
            )
            what = f"no column {name!r} in the header: {', '.join(header) or 'it is empty'}"
            raise DataError(what, where=options.path, remedy=remedy)


def _row(options: Manifest, root: Path, cells: dict[str, str]) -> _Row:
    """Raises ValueError with what is wrong."""
    name, label = cells[options.image_column], cells[options.label_column]
    if not name or not label:
        raise ValueError(f"column {options.label_column if name else options.image_column!r} is empty")
    path = _below(root, name)
    if not os.path.isfile(root / path):
        raise ValueError(f"no file {name!r}")
    return _Row(name_of(path), name_of(Path(label)), _stream(options, cells), root / path)


def _stream(options: Manifest, cells: dict[str, str]) -> str:
    if options.split_column is None or options.split_column not in cells:
        return TRAIN
    value = cells[options.split_column]
    if value.lower() not in STREAM_NAMES:
        raise ValueError(f"split {value!r} is none of {', '.join(STREAM_NAMES)}")
    return STREAM_NAMES[value.lower()]


def _below(root: Path, name: str) -> Path:
    """The file's path relative to root. Raises ValueError when it leads out of it."""
    relative = Path(os.path.relpath(root / name, root))
    if ".." in relative.parts:
        raise ValueError(f"{name!r} lies outside {root}")
    return relative
