"""A manifest: a CSV file, or one of JSON lines, that names each image, its label and, where it likes, its split."""

from __future__ import annotations

import os.path
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ftcli.errors import DataError
from ftcli.plans.data_splits import TRAIN, DataSplits, Example

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
from ._common import DataOptions, SourcePath, complete
from ._files import is_text, name_of, opener
from ._labels import Names, every_name, numbers_of, shown

_CONTENT = "image_column"


class Manifest(DataOptions, ManifestOptions):
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
    first_line: dict[str, int] = {}
    rows: list[_Row] = []
    problems: list[str] = []
    for line, cells in read_rows(options, options.path, _CONTENT):
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
    told_at_once(problems, options.path, f"file names are relative to {root}")
    return rows


def _row(options: Manifest, root: Path, inside: str, cells: dict[str, str]) -> _Row:
    """Raises ValueError with what is wrong."""
    must_be_there(options, _CONTENT, cells)
    name = cells[options.image_column]
    return _Row(
        key=name_of(path := _inside(root, inside, name)),
        labels=labels_in(options, cells),
        stream=stream_in(options.split_column, cells),
        file=root / path,
        group=optional(options.group_column, cells),
        time=optional(options.time_column, cells),
        weight=weight_in(options.weight_column, cells),
    )


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
