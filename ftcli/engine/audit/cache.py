"""Fingerprints that were taken before: an image whose file has not changed is not decoded again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from ftcli.engine.audit.fingerprint import Fingerprint
from ftcli.engine.files import replace_file
from ftcli.errors import MachineError

VERSION = 2
"""Raised whenever a fingerprint would come out otherwise: what an older version kept is not read."""


@dataclass(frozen=True)
class Stamp:
    """A file as it was: the same size and time mean the same file; else the same size and bytes do."""

    size: int
    mtime_ns: int
    sha256: bytes


@dataclass(frozen=True)
class Kept:
    stamp: Stamp
    fingerprint: Fingerprint


def cache_file(source: str) -> Path:
    """Where the fingerprints of a source of data lie: $XDG_CACHE_HOME/ftcli/audit, or ~/.cache/ftcli/audit."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    name = sha256(os.path.abspath(source).encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return Path(home).expanduser() / "ftcli" / "audit" / f"{name}.npz"


def file_digest(path: Path) -> bytes:
    return sha256(path.read_bytes()).digest()


def recalled(kept: Kept | None, path: Path) -> Kept | None:
    """What is kept of a file, if it still holds; with its new time where a file was only touched or copied."""
    if kept is None:
        return None
    try:
        now = path.stat()
        if now.st_size != kept.stamp.size:
            return None
        if now.st_mtime_ns == kept.stamp.mtime_ns:
            return kept
        if file_digest(path) != kept.stamp.sha256:
            return None
    except OSError:
        return None
    return Kept(Stamp(now.st_size, now.st_mtime_ns, kept.stamp.sha256), kept.fingerprint)


def stamp_of(path: Path) -> Stamp | None:
    try:
        now = path.stat()
        return Stamp(now.st_size, now.st_mtime_ns, file_digest(path))
    except OSError:
        return None


def read_cache(path: Path) -> dict[str, Kept]:
    """By absolute path. Nothing when there is none, or it is damaged or of another version."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as columns:
            if int(columns["version"]) != VERSION:
                return {}
            return _rows({name: columns[name] for name in columns.files})
    except (OSError, ValueError, KeyError, IndexError, EOFError, BadZipFile):
        return {}


def write_cache(path: Path, kept: Mapping[str, Kept]) -> bool:
    """Whole or not at all; False where the folder cannot be written, which only costs time later."""
    columns = _columns(kept)

    def write(aside: Path) -> None:
        with aside.open("wb") as file:
            np.savez(file, **columns)  # type: ignore[arg-type]

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, write)
    except (OSError, MachineError):
        return False
    return True


def _columns(kept: Mapping[str, Kept]) -> dict[str, np.ndarray]:
    stamps = [item.stamp for item in kept.values()]
    prints = [item.fingerprint for item in kept.values()]
    names = [name.encode("utf-8", "surrogateescape") for name in kept]
    return {
        "version": np.array(VERSION),
        "names": np.frombuffer(b"\0".join(names), np.uint8),
        "stamps": np.array([[s.size, s.mtime_ns] for s in stamps], np.int64).reshape(-1, 2),
        "files": _bytes([stamp.sha256 for stamp in stamps]),
        "digests": _bytes([found.digest for found in prints]),
        "sizes": np.array([[f.width, f.height, f.spread] for f in prints], np.int64).reshape(-1, 3),
        "gray": np.array([found.gray for found in prints], np.uint8),
        "colour": np.array([found.colour for found in prints], np.uint8),
        "levels": np.array([[*f.mean, *f.std] for f in prints], np.float64).reshape(-1, 6),
    }


def _bytes(digests: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)


def _rows(columns: Mapping[str, np.ndarray]) -> dict[str, Kept]:
    stamps, sizes, levels = columns["stamps"], columns["sizes"], columns["levels"]
    if not len(stamps):
        return {}
    names = columns["names"].tobytes().split(b"\0")
    if len(names) != len(stamps):
        return {}
    return {
        name.decode("utf-8", "surrogateescape"): Kept(
            Stamp(int(stamps[i, 0]), int(stamps[i, 1]), columns["files"][i].tobytes()),
            Fingerprint(
                digest=columns["digests"][i].tobytes(),
                width=int(sizes[i, 0]),
                height=int(sizes[i, 1]),
                gray=columns["gray"][i],
                colour=columns["colour"][i],
                mean=(float(levels[i, 0]), float(levels[i, 1]), float(levels[i, 2])),
                std=(float(levels[i, 3]), float(levels[i, 4]), float(levels[i, 5])),
                spread=int(sizes[i, 2]),
            ),
        )
        for i, name in enumerate(names)
    }
