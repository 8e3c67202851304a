"""Texts in a table: a CSV file, or one of JSON lines, with a column of texts and one of their labels."""

from __future__ import annotations

from typing import Literal

from ftcli.plans.data_splits import DataSplits

from ._columns import ManifestOptions, Row, must_be_there, read_rows, row_of, splits_of, told_at_once
from ._common import SourcePath, complete
from ._texts import TextOptions, key_of_row, of_rows

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


def open_splits(options: TextTable, seed: int) -> DataSplits:
    found = _rows(options)
    load = of_rows([text for _, text in found])
    splits = splits_of(options, options.path, [row for row, _ in found], load, texts=True)
    return complete(splits, options.split, seed, options.kind)


def _rows(options: TextTable) -> list[tuple[Row, str]]:
    """Every row and its text, checked. Raises DataError that tells the first three rows at fault, by line."""
    rows: list[tuple[Row, str]] = []
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


def _row(options: TextTable, number: int, cells: dict[str, str]) -> tuple[Row, str]:
    """Raises ValueError with what is wrong."""
    must_be_there(options, _CONTENT, cells, may_be_empty=True)
    text = cells[options.text_column]
    return row_of(options, f"row {key_of_row(number, text)}", cells), text
