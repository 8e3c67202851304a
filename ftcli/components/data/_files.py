"""Which files of a folder are images: the same ones on every machine."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING
from unicodedata import normalize

from ftcli.errors import DataError

from .image import FORMATS, MAX_PIXELS, SUFFIXES, decode

if TYPE_CHECKING:
    from PIL.Image import Image


def sub_folders(folder: Path) -> list[Path]:
    """The visible folders directly in a folder, by name. Raises DataError when it cannot be read."""
    parent, folders, _ = next(_walk(folder))
    return [parent / name for name in folders]


def images_below(folder: Path) -> tuple[list[Path], Counter[str]]:
    """The images at any depth below a folder, and how many other files lie there, by suffix."""
    return files_below(folder, SUFFIXES)


def files_below(folder: Path, suffixes: Collection[str]) -> tuple[list[Path], Counter[str]]:
    """The files of these suffixes at any depth below a folder, and how many others lie there, by suffix."""
    found: list[Path] = []
    others: Counter[str] = Counter()
    for parent, _, files in _walk(folder):
        for name in files:
            path = parent / name
            suffix = path.suffix.lower() if os.path.isfile(path) else "broken link"
            if suffix in suffixes:
                found.append(path)
            else:
                others[suffix or "no suffix"] += 1
    return found, others


def told(others: Counter[str]) -> str:
    """For the end of an error: "; 12 other files: .txt, .zip", or nothing."""
    number = others.total()
    return f"; {number} other file{'s' if number > 1 else ''}: {', '.join(sorted(others))}" if others else ""


def name_of(path: PurePath) -> str:
    """A path as keys and classes have it: with `/`, and accents composed (file systems differ in both)."""
    return normalize("NFC", path.as_posix())


def is_text(name: str) -> bool:
    """Whether a name can be written down: one that is not UTF-8 would fit into no record of the run."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def opener(
    files: Iterable[Path], max_pixels: int = MAX_PIXELS, formats: tuple[str, ...] = FORMATS
) -> Callable[[int], Image]:
    """The `load` of a DataSplits whose examples are files; it can be sent to another process."""
    return partial(_open_nth, tuple(files), max_pixels, formats)


def _open_nth(files: tuple[Path, ...], max_pixels: int, formats: tuple[str, ...], index: int) -> Image:
    return decode(files[index], str(files[index]), max_pixels, formats)


def _walk(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Each folder from `folder` down, with the names of the folders and files in it, hidden ones left out.

    Links are followed, but neither up to a folder around this one nor to one that was met before.
    """
    start = folder.resolve()
    met = {start, *start.parents}
    for parent, folders, files in os.walk(folder, followlinks=True, onerror=_cannot_read):
        visible = sorted(name for name in folders if _is_visible(name))
        real = {name: Path(os.path.realpath(os.path.join(parent, name))) for name in visible}
        folders[:] = [name for name in visible if real[name] not in met]
        met.update(real.values())
        yield Path(parent), folders, [name for name in files if _is_visible(name)]


def _is_visible(name: str) -> bool:
    """Neither hidden nor what an archive made on a Mac leaves behind."""
    return not name.startswith(".") and name != "__MACOSX"


def _cannot_read(error: OSError) -> None:
    raise DataError(f"cannot read the folder: {error.strerror}", where=str(error.filename)) from error
