"""Entries being filled: aside, then renamed when whole. A writer that cannot go on is dropped; nothing is raised."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from errno import EEXIST, ENOTEMPTY
from math import prod
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import BinaryIO, Self
from zlib import crc32

import numpy as np
from torch import Tensor

from ftcli.engine import locks
from ftcli.engine.cache.manifest import DATA, ROWS, Manifest, write_manifest
from ftcli.engine.cache.mapping import dtype_named, name_of, raw_bytes
from ftcli.engine.cache.ragged import ROW, checksum_of
from ftcli.engine.files import flush
from ftcli.errors import DISK_FULL
from ftcli.findings import Finding

ASIDE = ".tmp-"
"""How the names of folders begin that are being filled, or removed."""

Room = Callable[[int, int], bool]
"""Makes room for so many bytes, of which so many are written; or says that there is none."""
Tell = Callable[[Finding], None]


def aside_in(folder: Path) -> Path:
    """A name that no other process takes; the process id is for people."""
    return folder / f"{ASIDE}{os.getpid()}-{token_hex(8)}"


class _Filling:
    """`with` it: on a clean exit the entry is there, after an exception or a fault nothing of it is."""

    def __init__(self, folder: Path, manifest: Manifest, expected: int, room: Room, tell: Tell) -> None:
        self._folder, self._manifest, self._room, self._tell = folder, manifest, room, tell
        self._aside = aside_in(folder)
        self._file: BinaryIO | None = None
        self._reserved = expected
        self._written = 0

    @property
    def ok(self) -> bool:
        """Whether what is appended is kept: without room, and after a fault, it is not."""
        return self._file is not None

    def __enter__(self) -> Self:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not self._room(self._reserved, 0):
                self._refused()
                return self
            self._file = self._begun()
        except OSError as error:
            self._failed(error)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is None:
            return
        try:
            if kind is None:
                self._finish(self._file)
        except OSError as fault:
            self._failed(fault)
        finally:
            self._drop()

    def _begun(self) -> BinaryIO:
        """Our file: one that was swept away before we had locked it is begun again."""
        while True:
            self._aside.mkdir()
            file = (self._aside / DATA).open("xb", buffering=0)
            if locks.share(file.fileno()) and locks.is_still(file.fileno(), self._aside / DATA):
                return file
            file.close()
            shutil.rmtree(self._aside, ignore_errors=True)

    def _write(self, raw: memoryview) -> bool:
        """False once nothing is kept any more."""
        if self._file is None:
            return False
        self._written += len(raw)
        if self._written > self._reserved and not self._more_room():
            self._refused()
            return False
        try:
            while raw:
                raw = raw[self._file.write(raw) :]
        except OSError as error:
            self._failed(error)
            return False
        return True

    def _more_room(self) -> bool:
        """The size had to be guessed: a quarter more at a time."""
        before, self._reserved = self._reserved, self._written + self._reserved // 4
        return self._room(self._reserved, before)

    def _finish(self, file: BinaryIO) -> None:
        """To disk before the name is there: after a power cut it stands for all of the entry or for none."""
        manifest = self._completed()
        if manifest is None:
            return
        os.fsync(file.fileno())
        write_manifest(self._aside, replace(manifest, created=datetime.now(UTC).isoformat()))
        flush(self._aside)
        try:
            os.rename(self._aside, self._folder / manifest.key)
        except OSError as error:
            if error.errno not in (EEXIST, ENOTEMPTY):  # another process was faster: its entry is the same
                raise
        flush(self._folder)

    def _completed(self) -> Manifest | None:
        """With the sizes and checksums of its files; None where there is nothing to keep."""
        raise NotImplementedError

    def _drop(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        shutil.rmtree(self._aside, ignore_errors=True)

    def _failed(self, error: OSError) -> None:
        self._drop()
        if error.errno in DISK_FULL:
            self._refused(error.strerror or "")
            return
        message = f"nothing is kept for the next run: {error.strerror or error}"
        remedy = "make the folder writable, or set XDG_CACHE_HOME; FTCLI_CACHE_GB=0 asks for no cache"
        self._tell(Finding("warning", str(self._folder), message, remedy, "cache-unwritable"))

    def _refused(self, reason: str = "") -> None:
        self._drop()
        size = max(self._reserved, self._written) / 2**30
        why = reason or "the cache's bound or the disk leaves less"
        message = (
            f"{self._manifest.about.get('what', 'an entry')}: not kept, it takes about {size:.1f} GiB: {why}"
        )
        remedy = "raise FTCLI_CACHE_GB, free disk space, or look at `ftcli cache ls`"
        self._tell(Finding("info", str(self._folder), message, remedy, "cache-full"))


class Writer(_Filling):
    """Rows of one tensor (N, ...), in their order."""

    def __init__(self, folder: Path, manifest: Manifest, expected: int, room: Room, tell: Tell) -> None:
        super().__init__(folder, manifest, expected, room, tell)
        self._checksum = 0

    def append(self, rows: Tensor) -> None:
        """(n, ...) of the entry's dtype and row shape. Raises ValueError for others."""
        if name_of(rows.dtype) != self._manifest.dtype or tuple(rows.shape[1:]) != self._manifest.shape[1:]:
            what = f"{self._manifest.dtype} {self._manifest.shape[1:]}"
            raise ValueError(
                f"rows are {name_of(rows.dtype)} {tuple(rows.shape[1:])}, the entry's are {what}"
            )
        if not self.ok:
            return
        raw = raw_bytes(rows)
        if self._write(raw):
            self._checksum = crc32(raw, self._checksum)

    def _completed(self) -> Manifest:
        """Raises ValueError when there are more or fewer rows than were announced."""
        rows, dtype = prod(self._manifest.shape), dtype_named(self._manifest.dtype)
        announced = rows * dtype.itemsize
        if self._written != announced:
            raise ValueError(f"{self._written:,} bytes were appended, the entry's shape has {announced:,}")
        return replace(self._manifest, sizes={DATA: self._written}, checksums={DATA: self._checksum})


class ImageWriter(_Filling):
    """Images uint8 (3, H, W), each under the digest of what it was made of; a content is kept once."""

    def __init__(self, folder: Path, manifest: Manifest, expected: int, room: Room, tell: Tell) -> None:
        super().__init__(folder, manifest, expected, room, tell)
        self._rows: dict[bytes, tuple[bytes, int, int, int, int]] = {}

    def append(self, image_CHW: Tensor, content: bytes) -> bool:
        """Whether it is kept so far. `content` has 32 bytes."""
        if content in self._rows:
            return self.ok
        start, raw = self._written, raw_bytes(image_CHW.permute(1, 2, 0))
        if not self._write(raw):
            return False
        _, height, width = image_CHW.shape
        self._rows[content] = (content, start, height, width, checksum_of(raw))
        return True

    def _completed(self) -> Manifest | None:
        if not self._rows:
            return None
        table = np.array(list(self._rows.values()), ROW).tobytes()
        with (self._aside / ROWS).open("xb") as file:
            file.write(table)
            file.flush()
            os.fsync(file.fileno())
        sizes: Mapping[str, int] = {DATA: self._written, ROWS: len(table)}
        return replace(self._manifest, shape=(len(self._rows),), sizes=sizes, checksums={ROWS: crc32(table)})
