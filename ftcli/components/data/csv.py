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

from ftcli.errors import DataError
from ftcli.plans.data_splits import TRAIN, DataSplits, Example

from ._common import STREAM_NAMES, DataOptions, SourcePath, complete
from ._files import is_text, name_of, opener
from ._manifest import rows_of

LONGEST_LABEL = 1_000
"""Characters; more is a text that went into the wrong column, or a quote that was never closed."""
_SHOWN = 80
_SHOWN_HEADER = 200


class Manifest(DataOptions):
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
    split_column: str | None = "split"
    """The column of train, val (valid, validation) or test; may be missing under its default name. null: never read."""
    group_column: str | None = "group"
    """The column of patients, scenes, videos, for split.by group; may be missing likewise. null: never read."""
    time_column: str | None = "time"
    """The column of dates (ISO 8601) or numbers, for split.by time; may be missing likewise. null: never read."""
    weight_column: str | None = "weight"
    """The column of weights for train.sampler weighted, 1 where empty; may be missing likewise. null: never read."""


@dataclass(frozen=True, order=True)
class _Row:
    key: str
    label: str
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
    classes = tuple(sorted({row.label for row in rows}))
    label = {name: number for number, name in enumerate(classes)}
    splits = DataSplits(
        source=options.path,
        classes=classes,
        examples=tuple(Example(r.key, label[r.label], r.group, r.time, r.weight) for r in rows),
        streams={s: tuple(i for i, row in enumerate(rows) if row.stream == s) for s in streams},
        load=opener((row.file for row in rows), options.max_pixels),
        files=tuple(row.file for row in rows),
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
                raise ValueError(f"{_shown(row.key)} again, first on line {first_line[row.key]}")
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
    yield options.label_column, True
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
    remedy = f"nearest: {near[0]}" if near else "separate the columns with commas, or name them in the recipe"
    names = ", ".join(name if name.isprintable() else ascii(name) for name in header)
    told = names[:_SHOWN_HEADER] if any(header) else "it is empty"
    return DataError(f"no column {name!r} in the header: {told}", where=options.path, remedy=remedy)


def _row(options: Manifest, root: Path, inside: str, cells: dict[str, str]) -> _Row:
    """Raises ValueError with what is wrong."""
    for column, needed in _columns(options):
        if needed and not cells.get(column):
            raise ValueError(f"column {column!r} is {'empty' if column in cells else 'missing'}")
    name, label = cells[options.image_column], cells[options.label_column]
    return _Row(
        key=name_of(path := _inside(root, inside, name)),
        label=_label(label),
        stream=_stream(options, cells),
        file=root / path,
        group=_optional(options.group_column, cells),
        time=_optional(options.time_column, cells),
        weight=_weight(_optional(options.weight_column, cells)),
    )


def _label(text: str) -> str:
    if len(text) > LONGEST_LABEL or not is_text(text):
        raise ValueError(f"label {_shown(text)} is no name of a class")
    return name_of(Path(text))


def _optional(column: str | None, cells: dict[str, str]) -> str | None:
    """The cell, or None where it is empty or there is no such column."""
    return cells.get(column) or None if column is not None else None


def _weight(text: str | None) -> float:
    try:
        value = 1.0 if text is None else float(text)
    except ValueError:
        value = -1.0
    if not isfinite(value) or value < 0:
        raise ValueError(
            f"weight {_shown(text)} is no number of at least 0; null as weight_column ignores it"
        )
    return value


def _stream(options: Manifest, cells: dict[str, str]) -> str:
    if options.split_column is None or options.split_column not in cells:
        return TRAIN
    value = cells[options.split_column]
    if value.lower() not in STREAM_NAMES:
        raise ValueError(f"split {_shown(value)} is none of {', '.join(STREAM_NAMES)}")
    return STREAM_NAMES[value.lower()]


def _inside(root: Path, inside: str, name: str) -> Path:
    """The file's path relative to root. Raises ValueError when there is none, or it leads out, by a link too."""
    if not is_text(name):
        raise ValueError(f"file name {_shown(name)} is not valid text")
    relative = Path(os.path.relpath(root / name, root))
    if ".." in relative.parts:
        raise ValueError(f"{_shown(name)} lies outside {root}")
    if "\0" in name or not os.path.isfile(root / relative):
        raise ValueError(f"no file {_shown(name)}")
    real = os.path.realpath(root / relative)
    if os.path.commonpath([real, inside]) != inside:
        raise ValueError(f"{_shown(name)} lies outside {root}: it is a link to {real}")
    return relative


def _shown(text: str | None) -> str:
    """Quoted, and not longer than a line."""
    told = repr(text)
    return told if len(told) <= _SHOWN else f"{told[:_SHOWN]}..."
