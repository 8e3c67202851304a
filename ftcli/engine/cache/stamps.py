"""The digests of files' contents, remembered: a file that has not been touched is not read again to know it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from os.path import abspath
from pathlib import Path

import numpy as np

from ftcli.engine.ahead import in_order
from ftcli.engine.cache import keys
from ftcli.engine.cache.columns import of_digests, read_columns, record_of, write_columns

VERSION = 1
INT64 = 2**63 - 1
SETTLED_NS = 2 * 10**9
"""The slowest clock of a file system ticks every two seconds."""


@dataclass(frozen=True)
class Stamp:
    """A file as it was. A write that restores the time of change cannot restore ctime."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


@dataclass(frozen=True)
class Content:
    stamp: Stamp
    digest: bytes
    settled: bool = field(default=True, compare=False)
    """Whether the stamp will tell of every later change: a clock ticks slower than files are written."""


def stamp_of(path: Path) -> Stamp | None:
    """None when there is no such file."""
    try:
        now = path.stat()
    except OSError:
        return None
    return Stamp(now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino & INT64)


class Stamps:
    """What is remembered in `folder` of the files of one source of data."""

    def __init__(self, source: str, folder: Path) -> None:
        self._record = record_of(source, folder)
        self._before = _read(self._record)
        self._seen: dict[str, Content] = {}

    def look(self, path: Path) -> Content | None:
        """None when it cannot be read. From any thread."""
        name = abspath(path)
        content = _content(path, self._before.get(name))
        if content is not None:
            self._seen[name] = content
        return content

    def keep(self) -> None:
        """Write what was seen, where anything of it is new."""
        before, after = self._before, {name: c for name, c in self._seen.items() if c.settled}
        if any(before.get(name) != content for name, content in after.items()):
            _write(self._record, {**before, **after} if len(before) < 4 * len(after) else after)


def contents_of(files: Mapping[int, Path], source: str, folder: Path, workers: int) -> dict[int, Content]:
    """By index; those that cannot be read are left out. Remembered in `folder`, a file for each source of data."""
    stamps = Stamps(source, folder)
    looked = zip(files, in_order(stamps.look, files.values(), workers), strict=True)
    found = {index: content for index, content in looked if content is not None}
    stamps.keep()
    return found


def _content(path: Path, known: Content | None) -> Content | None:
    stamp = stamp_of(path)  # before it is read: a file that changes meanwhile has another one afterwards
    if stamp is None:
        return None
    if known is not None and known.stamp == stamp:
        return known
    settled = time.time_ns() - max(stamp.mtime_ns, stamp.ctime_ns) > SETTLED_NS
    try:
        return Content(stamp, keys.of_file(path), settled)
    except OSError:
        return None


def _read(record: Path) -> dict[str, Content]:
    columns = read_columns(record, VERSION)
    try:
        names = columns["names"].tobytes().split(b"\0")
        stamps, digests = columns["stamps"].tolist(), columns["digests"]
    except KeyError:
        return {}
    if not len(names) == len(stamps) == len(digests):
        return {}
    return {
        name.decode("utf-8", "surrogateescape"): Content(Stamp(*stamp), digest.tobytes())
        for name, stamp, digest in zip(names, stamps, digests, strict=True)
    }


def _write(record: Path, contents: Mapping[str, Content]) -> None:
    stamps = [[c.stamp.size, c.stamp.mtime_ns, c.stamp.ctime_ns, c.stamp.inode] for c in contents.values()]
    columns: dict[str, np.ndarray] = {
        "names": np.frombuffer(b"\0".join(n.encode("utf-8", "surrogateescape") for n in contents), np.uint8),
        "stamps": np.array(stamps, np.int64),
        "digests": of_digests(content.digest for content in contents.values()),
    }
    write_columns(record, VERSION, columns)
