"""A manifest: a CSV file, or one of JSON lines, that names each image, its label and, where it likes, its split."""

from __future__ import annotations

import os.path
from pathlib import Path
from typing import Literal

from ftcli.plans.data_splits import DataSplits

from ._columns import ManifestOptions, Row, must_be_there, read_rows, row_of, splits_of, told_at_once
from ._common import DataOptions, SourcePath, complete
from ._files import is_text, name_of, opener
from ._labels import shown

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


def open_splits(options: Manifest, seed: int) -> DataSplits:
    found = sorted(_rows(options), key=lambda one: one[0].key)
    files = tuple(file for _, file in found)
    load = opener(files, options.max_pixels)
    splits = splits_of(options, options.path, [row for row, _ in found], load, files=files)
    return complete(splits, options.split, seed, options.kind)


def _rows(options: Manifest) -> list[tuple[Row, Path]]:
    """Every row and its file, checked. Raises DataError that tells the first three rows at fault, by line."""
    manifest = Path(options.path)
    root = manifest.parent if options.root is None else Path(options.root)
    inside = os.path.realpath(root)
    first_line: dict[str, int] = {}
    rows: list[tuple[Row, Path]] = []
    problems: list[str] = []
    for line, cells in read_rows(options, options.path, _CONTENT):
        try:
            if isinstance(cells, ValueError):
                raise cells
            row, file = _row(options, root, inside, cells)
            if row.key in first_line:
                raise ValueError(f"{shown(row.key)} again, first on line {first_line[row.key]}")
        except ValueError as error:
            problems.append(f"line {line}: {error}")
        else:
            first_line[row.key] = line
            rows.append((row, file))
    told_at_once(problems, options.path, f"file names are relative to {root}")
    return rows


def _row(options: Manifest, root: Path, inside: str, cells: dict[str, str]) -> tuple[Row, Path]:
    """Raises ValueError with what is wrong."""
    must_be_there(options, _CONTENT, cells)
    path = _inside(root, inside, cells[options.image_column])
    return row_of(options, name_of(path), cells), root / path


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
