"""Files that are either whole or not there: written aside, flushed to disk, then renamed."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from io import FileIO
from pathlib import Path
from secrets import token_hex
from typing import Any

from ftcli.errors import DISK_FULL, DiskFullError, MachineError

BLOCK = 2**16
_ASIDE = re.compile(r"\..+\.(\d+)\.[0-9a-f]{8}\.tmp")

Chunks = Callable[[], Iterable[memoryview]]
"""The bytes of a file in order, as often as they are asked for."""


@dataclass(frozen=True)
class Written:
    """What a file holds: its size in bytes, and their SHA-256."""

    size: int
    sha256: str


def replace_file(path: Path, write: Callable[[Path], object], size: int = 0) -> None:
    """`write` fills a temporary file beside `path`, which then takes its place; `size` is what it needs, if known.

    A reader sees the old file or the new one, whatever happens in between. Raises MachineError when it cannot.
    """
    with written_aside(path, size) as aside:
        write(aside)
        flush(aside)
        os.replace(aside, path)
        flush(path.parent)


@contextmanager
def written_aside(path: Path, size: int = 0) -> Iterator[Path]:
    """A name beside `path` for a file or folder, of which nothing is left unless it was renamed.

    Raises MachineError for what the system refuses, DiskFullError for want of `size` bytes.
    """
    aside = aside_of(path)
    try:
        yield aside
    except OSError as error:
        raise cannot_write(path, error, size) from error
    finally:
        with suppress(OSError):
            _remove(aside)


def write_text(path: Path, text: str) -> None:
    raw = text.encode()
    replace_file(path, lambda aside: write_chunks(aside, lambda: [memoryview(raw)]), len(raw))


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_chunks(path: Path, chunks: Chunks) -> None:
    """A new file. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        for chunk in chunks():
            while chunk:
                chunk = chunk[os.write(descriptor, chunk) :]
    finally:
        os.close(descriptor)


def write_proved(path: Path, chunks: Chunks) -> Written:
    """A new file that is on the disk, read back and found to be what was meant. Raises OSError, MachineError."""
    write_chunks(path, chunks)
    flush(path)
    digest, size = sha256(), 0
    with path.open("rb", buffering=0) as file:
        for chunk in chunks():
            _read_back(file, chunk, path)
            digest.update(chunk)
            size += len(chunk)
    return Written(size, digest.hexdigest())


def _read_back(file: FileIO, chunk: memoryview, path: Path) -> None:
    for start in range(0, len(chunk), BLOCK):
        meant = bytes(chunk[start : start + BLOCK])
        if file.read(len(meant)) != meant:
            what = "what was written is not what can be read back"
            raise MachineError(what, where=str(path), remedy="look after the disk")


def digest_of(path: Path) -> str:
    """The SHA-256 of a file. Raises OSError."""
    return sha256(path.read_bytes()).hexdigest()


def flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def aside_of(path: Path) -> Path:
    """A hidden name in the same folder that nobody else takes."""
    return path.with_name(f".{path.name}.{os.getpid()}.{token_hex(4)}.tmp")


def discard(path: Path) -> bool:
    """Remove a file or folder: its name is gone at once, whatever happens to what is behind it. Raises nothing."""
    aside = aside_of(path)
    try:
        os.rename(path, aside)
    except OSError:
        return False
    with suppress(OSError):
        _remove(aside)
    return True


def is_aside(path: Path) -> bool:
    """Whether it is a file that was being written, by a process that may have ended meanwhile."""
    return _ASIDE.fullmatch(path.name) is not None


def sweep(folder: Path) -> None:
    """Remove what processes have left aside that have ended. Raises nothing."""
    for path in folder.iterdir() if folder.is_dir() else ():
        written_by = _ASIDE.fullmatch(path.name)
        if written_by and not _is_another_living(int(written_by[1])):
            with suppress(OSError):
                _remove(path)


def cannot_write(path: Path, error: OSError, size: int = 0) -> MachineError:
    """A DiskFullError where there is no room for `size` bytes (0: not known)."""
    reason = error.strerror or str(error)
    if error.errno not in DISK_FULL:
        return MachineError(f"cannot write: {reason}", where=str(path), remedy="check the path and its disk")
    wanted = f"{size:,} bytes" if size else "what is written"
    remedy = f"make room for {wanted} there, then go on with --resume; or give another --out"
    return DiskFullError(f"the disk is full: {reason}", where=str(path), remedy=remedy)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _is_another_living(process: int) -> bool:
    if process == os.getpid():
        return False
    if os.name == "nt":  # where signal 0 is Ctrl-C
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
