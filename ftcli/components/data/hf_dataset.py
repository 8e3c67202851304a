"""Images of a data set of the Hugging Face library datasets: by its name on the hub, a folder of Arrow files, or local
files.

Only the table is theirs. An image's bytes go through the opener that every other source uses, so that its formats,
its bounds and its treatment of EXIF and of 16 bits hold here too; and no code that comes with a data set is run.
"""

from __future__ import annotations

import os.path
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from ftcli.errors import DataError
from ftcli.plans.data_splits import DataSplits

from ._common import DataOptions, complete
from ._hf_library import is_local, library, quietly
from ._hf_table import HfTableOptions, Place, Table, places_of, splits_of, tables_of
from .image import decode

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["HfDataset", "is_local", "open_splits"]


class HfDataset(DataOptions, HfTableOptions):
    """A Hugging Face data set, in its own splits; a val or test that it lacks is split off train.

    Needs `pip install 'ftcli[datasets]'`. Code that comes with a data set is never run.
    """

    kind: Literal["hf_dataset"]
    image_column: str = Field(default="image", min_length=1)
    """The column of images."""


def open_splits(options: HfDataset, seed: int) -> DataSplits:
    tables = tables_of(options, "image_column", lambda name, rows: _undecoded(options, rows))
    load = partial(_load, options, tuple((table.name, table.contents) for table in tables), places_of(tables))
    splits = splits_of(options, tables, load, _key)
    return complete(splits, options.split, seed, options.kind)


def _key(table: Table, row: int) -> str:
    return f"{table.name}/{row:07d}"


def _undecoded(options: HfDataset, rows: Any) -> Any:
    """The column of images as bytes or paths. Raises DataError for a column of something else."""
    datasets, column = library(), options.image_column
    feature = rows.features[column]
    are_bytes = getattr(feature, "dtype", None) in ("binary", "large_binary")
    are_both = isinstance(feature, dict) and set(feature) == {"bytes", "path"}
    if not (isinstance(feature, datasets.Image) or are_bytes or are_both):
        remedy = "name the column of images: data.image_column"
        raise DataError(f"column {column!r} holds no images: {feature}", where=options.path, remedy=remedy)
    with quietly():
        return rows.select_columns([column]).cast_column(column, datasets.Image(decode=False))


def _load(
    options: HfDataset,
    images: tuple[tuple[str, Any], ...],
    places: tuple[Place, ...],
    index: int,
) -> Image:
    at, row = places[index]
    split, column = images[at]
    where = f"{options.path}: {split} row {row}"
    stored = column[row][options.image_column] or {}
    if stored.get("bytes") is not None:
        return decode(BytesIO(stored["bytes"]), where, options.max_pixels)
    path = stored.get("path")
    if not path or not os.path.isfile(path):  # neither an address, nor what a read would never return from
        what = f"cannot read the image: there is no file {path}" if path else "the row has no image"
        raise DataError(what, where=where, remedy="mend the row, or remove it")
    return decode(Path(path), f"{where}, {path}", options.max_pixels)
