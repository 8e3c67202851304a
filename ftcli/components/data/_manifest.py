"""The rows of a manifest, of whichever notation: a place in the file, and cells by column as text."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ftcli.errors import DataError

JSON_LINES = frozenset({".jsonl", ".ndjson"})
"""Manifests of these suffixes hold one JSON object a line; all others are CSV."""
TABLES = frozenset({".csv", *JSON_LINES})
"""What a table is called, where a file might be something else."""
LONGEST_LINE = 1_000_000
"""Characters; a line beyond it is no row of a manifest, and is not read to its end."""

Rows = Iterator[tuple[int, dict[str, str] | ValueError]]
"""Line number (the first is 1) and its cells without blanks around them, or what is wrong with it."""


def rows_of(path: Path) -> tuple[list[str] | None, Rows]:
    """The header (None where each row has its own columns) and the rows. Raises DataError, the rows do as well."""
    if path.exists() and not path.is_file():
        raise DataError("this is not a file", where=str(path), remedy="give the manifest itself")
    if path.suffix.lower() in JSON_LINES:
        return None, _guarded(path, _json_rows)
    rows = _guarded(path, _csv_rows)
    _, header = next(rows)
    return list(header), rows


def _guarded(path: Path, read: Any) -> Any:
    """What `read` yields of the opened file; whatever goes wrong is an error of the data."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            yield from read(file)
    except OSError as error:
        remedy = "paths are relative to the current directory"
        raise DataError(f"cannot read it: {error.strerror}", where=str(path), remedy=remedy) from error
    except (ValueError, csv.Error) as error:
        notation = "a file of JSON lines" if path.suffix.lower() in JSON_LINES else "a CSV file"
        remedy = "save it as UTF-8; every quote that is opened must be closed"
        raise DataError(f"not {notation} in UTF-8: {error}", where=str(path), remedy=remedy) from error


def _csv_rows(file: IO[str]) -> Iterator[Any]:
    """The header first, as (1, names)."""
    last: list[str] = []
    reader = csv.reader(_noting(file, last), skipinitialspace=True)
    header = [name.strip() for name in next(reader, [])]
    yield 1, header
    last.clear()
    for cells in reader:
        _must_be_closed(last)
        last.clear()
        if not cells:
            continue
        if any(cell.strip() for cell in cells[len(header) :]):
            told = f"{len(cells)} cells in {len(header)} columns; quote what holds a comma"
            yield reader.line_num, ValueError(told)
            continue
        padded = [*cells, *[""] * (len(header) - len(cells))]
        yield (
            reader.line_num,
            {name: cell.strip() for name, cell in zip(header, padded, strict=False) if name},
        )


def _noting(file: IO[str], lines: list[str]) -> Iterator[str]:
    for line in file:
        lines.append(line)
        yield line


def _must_be_closed(lines: list[str]) -> None:
    """Raises csv.Error for a row that ends with the file because a quote was never closed.

    Left alone, it would be a label that holds the rest of the manifest.
    """
    if len(lines) < 2 and '"' not in "".join(lines):
        return
    try:
        list(csv.reader(lines, skipinitialspace=True, strict=True))
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise


def _json_rows(file: IO[str]) -> Iterator[Any]:
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise ValueError(f"line {number} has more than {LONGEST_LINE:,} characters")
        if line.strip():
            yield number, _json_row(line)


def _json_row(line: str) -> dict[str, str] | ValueError:
    try:
        value = json.loads(line, object_pairs_hook=_without_doubles)
        if not isinstance(value, dict):
            return ValueError("not a JSON object in braces")
        return {name: _text(name, inner) for name, inner in value.items()}
    except RecursionError:
        return ValueError("not a row: too deeply nested")
    except json.JSONDecodeError as error:
        return ValueError(f"not a JSON object: {error.msg}")
    except ValueError as error:
        return error


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a column stands there twice")
    return found


def _text(name: str, value: Any) -> str:
    """A cell as CSV would have it. What is no text or number becomes the JSON it was, for columns nobody reads."""
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else json.dumps(value)
