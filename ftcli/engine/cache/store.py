"""Entries by key: a key says everything that decides the bytes behind it, so that no entry is ever out of date."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from ftcli.engine import locks
from ftcli.engine.cache.keys import versions
from ftcli.engine.cache.manifest import DATA, MANIFEST, Damaged, Kind, Manifest, read_manifest
from ftcli.engine.cache.mapping import name_of, tensor_of
from ftcli.engine.cache.ragged import Images, contents_of, read_rows
from ftcli.engine.cache.writer import ASIDE, ImageWriter, Tell, Writer, aside_in
from ftcli.findings import Finding

KEEP_FREE_BYTES = 2**30
KEEP_FREE_SHARE = 0.1
"""Of the disk, whichever is less: what others need is not taken."""
NAMELESS_SECONDS = 3600
"""A folder aside without a file in it belongs to a process that has only begun, or to one that ended just then."""

T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    folder: Path
    manifest: Manifest
    used: float
    """When it was last opened or filled, in seconds since 1970."""


class Store:
    """A folder of entries with at most `max_bytes` in it; those that were not used for longest go first.

    No method raises for what is wrong with the disk: what cannot be read is not there, and `tell` is told.
    """

    def __init__(self, folder: Path, max_bytes: int, tell: Tell | None = None) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self._listener = tell
        self._untold: list[Finding] = []
        self._told: set[tuple[str, str]] = set()

    def listen(self, tell: Tell) -> None:
        """From now on; what was noticed while nobody listened is told first."""
        self._listener = tell
        while self._untold:
            tell(self._untold.pop(0))

    def open(self, key: str) -> Tensor | None:
        """The entry's tensor (N, ...) on the CPU, mapped into memory; None when there is none, or it is damaged."""
        return self._opened(
            key, lambda folder, manifest: None if manifest.ragged else tensor_of(folder, manifest)
        )

    def open_images(self, key: str) -> Images | None:
        return self._opened(
            key, lambda folder, manifest: Images(folder, manifest) if manifest.ragged else None
        )

    def contents(self, entry: Entry) -> frozenset[bytes]:
        """What an entry's images were made of, by digest; it does not count as used."""
        rows = self._read(entry.folder, read_rows)
        return frozenset() if rows is None else frozenset(contents_of(rows))

    def create(
        self, key: str, kind: Kind, shape: Sequence[int], dtype: torch.dtype, about: Mapping[str, Any]
    ) -> Writer:
        """To be filled with rows of a tensor of this shape (N, ...). `about` has `what`, in words."""
        manifest = Manifest(key, kind, tuple(shape), name_of(dtype), about, versions=versions())
        return Writer(self.folder, manifest, prod(shape) * dtype.itemsize, self.make_room, self._tell)

    def create_images(self, key: str, about: Mapping[str, Any], expected_bytes: int) -> ImageWriter:
        """To be filled with images of any size; of the bytes a guess will do."""
        manifest = Manifest(key, "images", (0,), "uint8", about, ragged=True, versions=versions())
        return ImageWriter(self.folder, manifest, expected_bytes, self.make_room, self._tell)

    def entries(self, kind: Kind | None = None) -> list[Entry]:
        """Whole ones, the longest unused first."""
        found = [e for folder in self._folders() if (e := self._read(folder, _entry)) is not None]
        return sorted((e for e in found if kind in (None, e.manifest.kind)), key=lambda entry: entry.used)

    def room_for(self, wanted: int, written: int = 0) -> bool:
        """Whether so many bytes would have a place, what is not in use taken away. Nothing is.

        `written` of them stand on the disk already.
        """
        if wanted > self.max_bytes:
            return False
        free_for_others = sum(e.manifest.bytes for e in self.entries() if not _in_use(e.folder))
        return self._excess(wanted, written) <= free_for_others

    def make_room(self, wanted: int, written: int = 0) -> bool:
        """For so many bytes; where that cannot be, nothing is removed."""
        self.sweep()
        if not self.room_for(wanted, written):
            return False
        excess = self._excess(wanted, written)
        for entry in self.entries():
            if excess <= 0:
                break
            if self.remove(entry):
                excess -= entry.manifest.bytes
        return excess <= 0

    def remove(self, entry: Entry) -> bool:
        """False when a living process uses it, or the folder cannot be written."""
        with _alone(entry.folder) as alone:
            return alone and self._discard(entry.folder)

    def damaged(self, folder: Path, reason: str) -> None:
        """Tell of it, and take it away."""
        message = f"{reason}: what it held is computed anew"
        remedy = "nothing needs to be done; where it happens again, look after the disk"
        self._discard(folder)
        self._tell(Finding("warning", str(folder), message, remedy, "cache-damaged"))

    def sweep(self) -> None:
        """Remove what processes have left aside that were killed."""
        for folder in self._folders(aside=True):
            begun = (folder / DATA).exists()  # asked before: a file that comes meanwhile has an owner
            with _alone(folder) as alone:
                if alone and (begun or _is_old(folder)):
                    shutil.rmtree(folder, ignore_errors=True)

    def _tell(self, finding: Finding) -> None:
        """Once: a folder that cannot be written cannot be so for each entry anew."""
        if (finding.rule, finding.where) in self._told:
            return
        self._told.add((finding.rule, finding.where))
        (self._listener or self._untold.append)(finding)

    def _opened(self, key: str, read: Callable[[Path, Manifest], T | None]) -> T | None:
        folder = self.folder / key
        found = self._read(folder, read) if folder.is_dir() else None
        if found is not None:
            _touch(folder)
        return found

    def _read(self, folder: Path, read: Callable[[Path, Manifest], T]) -> T | None:
        try:
            return read(folder, read_manifest(folder))
        except Damaged as damage:
            self.damaged(folder, str(damage))
        except FileNotFoundError:  # another process removes it; unless it is there, and not whole
            # In this order: a folder that comes again meanwhile is whole.
            if folder.is_dir() and not ((folder / MANIFEST).exists() and (folder / DATA).exists()):
                self.damaged(folder, "a file of it is missing")
        except OSError:
            pass
        return None

    def _excess(self, wanted: int, written: int) -> int:
        """Bytes by which the bound would be passed, or the disk be too full."""
        over = sum(entry.manifest.bytes for entry in self.entries()) + wanted - self.max_bytes
        place = next((p for p in (self.folder, *self.folder.parents) if p.exists()), self.folder)
        disk = shutil.disk_usage(place)
        keep = min(KEEP_FREE_BYTES, int(disk.total * KEEP_FREE_SHARE))
        return max(over, wanted - written + keep - disk.free)

    def _folders(self, *, aside: bool = False) -> list[Path]:
        try:
            return [p for p in self.folder.iterdir() if p.name.startswith(ASIDE) is aside and p.is_dir()]
        except OSError:
            return []

    def _discard(self, folder: Path) -> bool:
        """Its name is gone at once, whatever happens to what is behind it."""
        aside = aside_in(self.folder)
        try:
            os.rename(folder, aside)
        except OSError:
            return False
        shutil.rmtree(aside, ignore_errors=True)
        return True


def _entry(folder: Path, manifest: Manifest) -> Entry:
    return Entry(folder, manifest, (folder / DATA).stat().st_mtime)


def _touch(folder: Path) -> None:
    with suppress(OSError):  # a folder that may only be read is as good
        os.utime(folder / DATA)


def _in_use(folder: Path) -> bool:
    with _alone(folder) as alone:
        return not alone


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether nobody uses it. Within, nobody can begin to: who writes a file aside sees that it is being removed."""
    descriptor = None
    if locks.are_known():
        with suppress(OSError):
            descriptor = os.open(folder / DATA, os.O_RDONLY)
    try:
        yield descriptor is None or locks.take_alone(descriptor) is True
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _is_old(folder: Path) -> bool:
    with suppress(OSError):
        return time.time() - folder.stat().st_mtime > NAMELESS_SECONDS
    return False
