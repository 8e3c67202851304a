"""Texts of a data set of the Hugging Face library datasets: by its name on the hub, a folder of Arrow files, or local
files. Only the table is theirs, and no code that comes with a data set is run.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ftcli.errors import DataError
from ftcli.plans.data_splits import DataSplits

from ._common import complete
from ._hf_library import is_local
from ._hf_table import HfTableOptions, Table, splits_of, tables_of
from ._texts import TextOptions, key_of_row, of_rows

__all__ = ["TextHfDataset", "is_local", "open_splits"]

_STRINGS = ("string", "large_string", "string_view")


class TextHfDataset(TextOptions, HfTableOptions):
    """A Hugging Face data set of texts, in its own splits; a val or test that it lacks is split off train.

    Needs `pip install 'ftcli[datasets]'`. Code that comes with a data set is never run.
    """

    kind: Literal["text_hf_dataset"]
    text_column: str = Field(default="text", min_length=1)
    """The column of texts; one may be empty, which is told."""


def open_splits(options: TextHfDataset, seed: int) -> DataSplits:
    tables = tables_of(options, "text_column", lambda name, rows: _texts(options, name, rows))
    load = of_rows([text for table in tables for text in table.contents])
    splits = splits_of(options, tables, load, _key, texts=True)
    return complete(splits, options.split, seed, options.kind)


def _key(table: Table, row: int) -> str:
    return f"{table.name}/{key_of_row(row, table.contents[row])}"


def _texts(options: TextHfDataset, split: str, rows: Any) -> list[str]:
    """All of a split. Raises DataError for a column of something else, and for a row without a text."""
    column = options.text_column
    feature = rows.features[column]
    if getattr(feature, "dtype", None) not in _STRINGS:
        remedy = "name the column of texts: data.text_column"
        raise DataError(f"column {column!r} holds no texts: {feature}", where=options.path, remedy=remedy)
    texts = list(rows[column])
    missing = [row for row, text in enumerate(texts) if text is None]
    if missing:
        what = f"{len(missing):,} rows of split {split!r} have no text, row {missing[0]} first"
        raise DataError(what, where=options.path, remedy="mend these rows, or remove them")
    return texts
