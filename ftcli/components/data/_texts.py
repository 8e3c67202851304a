"""What sources of texts share: the options, and how a text is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from ftcli.errors import DataError
from ftcli.registry import Choice

from ._common import Split

TEXT_SUFFIXES = frozenset({".txt", ".text", ".md"})
"""Which files of a folder are texts; compared in lower case."""
LONGEST_FILE = 10_000_000
"""Bytes; a file beyond it is no example, and is not read."""


class TextOptions(Choice):
    """Fields common to every source of texts."""

    task: ClassVar[str] = "text_classification"

    max_length: int | None = Field(default=None, ge=8, le=100_000)
    """Tokens after which a text is cut; default 512, or what the network has positions for."""
    split: Split = Split()
    """Stratified by class, the same for the same seed; the run keeps a copy in split.json."""
    audit: Literal["strict", "warn", "off"] = "warn"
    """What follows from one text in two streams: strict stops before training, warn tells it, off does not look."""


def read_text(path: Path, longest: int = LONGEST_FILE) -> str:
    """The text of a UTF-8 file of at most so many bytes. Raises DataError with the path."""
    remedy = "save it as UTF-8, or remove it from the data"
    try:
        with path.open("rb") as file:
            raw = file.read(longest + 1)
        if len(raw) > longest:
            what = f"a text of more than {longest:,} bytes is no example"
            raise DataError(what, where=str(path), remedy="cut it into parts")
        return raw.decode("utf-8-sig")
    except OSError as error:
        what = f"cannot read the text: {error.strerror}"
        raise DataError(what, where=str(path), remedy="give a file that is there and may be read") from error
    except UnicodeDecodeError as error:
        what = f"cannot read the text: byte {error.start} is not UTF-8"
        raise DataError(what, where=str(path), remedy=remedy) from error


def key_of_row(number: int, text: str) -> str:
    """The row, from 0, and what stands in it: a run does not go on with a table whose texts have changed."""
    return f"{number:07d} {sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def of_files(files: Sequence[Path]) -> Callable[[int], str]:
    """The `load` of a DataSplits whose texts are files."""
    return partial(_nth_file, tuple(files))


def of_rows(texts: Sequence[str]) -> Callable[[int], str]:
    """The `load` of a DataSplits whose texts are at hand."""
    return tuple(texts).__getitem__


def _nth_file(files: tuple[Path, ...], index: int) -> str:
    return read_text(files[index])
