"""A corpus in a table: a CSV file, or one of JSON lines, with a document in every row."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Literal

from ftcli.errors import DataError
from ftcli.plans.data_splits import TRAIN, DataSplits

from ._columns import told_at_once
from ._common import STREAM_NAMES, SourcePath
from ._corpus import CorpusOptions, Document, splits_of
from ._manifest import rows_of
from ._texts import of_rows


class CorpusTable(CorpusOptions):
    """A CSV file with a header, or JSON lines (.jsonl): the text of a document in every row.

    A val or test that no row names is split off train.
    """

    kind: Literal["corpus_csv"]
    path: SourcePath
    """The CSV or .jsonl file, relative to the current directory."""
    text_column: str = "text"
    """The column of texts; a cell may be empty, which is told."""
    split_column: str | None = "split"
    """The column of train, val (valid, validation) or test; may be missing under its default name. null: never read."""
    group_column: str | None = "group"
    """The column of what documents belong to (an author, a site), for split.by group; may be missing likewise. null:
    never read."""


def open_splits(options: CorpusTable, seed: int) -> DataSplits:
    found = list(_rows(options))
    load = of_rows([text for _, text in found])
    return splits_of(options, options.path, [document for document, _ in found], load, seed)


def _rows(options: CorpusTable) -> Iterator[tuple[Document, str]]:
    """Raises DataError that tells the first three rows at fault, by line."""
    header, rows = rows_of(Path(options.path))
    for name in _needed(options):
        if header is not None and name not in header:
            what = f"no column {name!r} in the header: {', '.join(header)[:200]}"
            raise DataError(what, where=options.path, remedy="name the column of texts: data.text_column")
    problems: list[str] = []
    number = 0
    for line, cells in rows:
        try:
            if isinstance(cells, ValueError):
                raise cells
            yield _row(options, number, cells)
            number += 1
        except ValueError as error:
            problems.append(f"line {line}: {error}")
    told_at_once(problems, options.path, "mend these rows")


def _needed(options: CorpusTable) -> Iterator[str]:
    """Columns that must be there: those of other than their default names, and the texts'."""
    yield options.text_column
    for option in ("split_column", "group_column"):
        name = getattr(options, option)
        if name is not None and name != CorpusTable.model_fields[option].default:
            yield name


def _row(options: CorpusTable, number: int, cells: dict[str, str]) -> tuple[Document, str]:
    """Raises ValueError with what is wrong."""
    for name in _needed(options):
        if name not in cells:
            raise ValueError(f"column {name!r} is missing")
    text = cells[options.text_column]
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    group = cells.get(options.group_column) if options.group_column else None
    return Document(f"row {number:07d} {digest}", group or None, _stream_in(options, cells)), text


def _stream_in(options: CorpusTable, cells: dict[str, str]) -> str:
    """train where the row does not say. Raises ValueError."""
    said = (cells.get(options.split_column) or TRAIN) if options.split_column else TRAIN
    if said.lower() not in STREAM_NAMES:
        raise ValueError(f"{said[:40]!r} in column {options.split_column!r} is none of train, val, test")
    return STREAM_NAMES[said.lower()]
