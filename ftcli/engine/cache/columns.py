"""Small records kept between runs as named columns: whole or not at all, and none where anything is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from os.path import abspath
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from ftcli.engine.files import replace_file
from ftcli.errors import MachineError

SHA256_BYTES = 32


def record_of(source: str, folder: Path) -> Path:
    """A file in `folder` for each source of data."""
    return folder / f"{sha256(abspath(source).encode('utf-8', 'surrogateescape')).hexdigest()[:24]}.npz"


def read_columns(path: Path, version: int) -> dict[str, np.ndarray]:
    """By name. Empty when there is no such file, or it is damaged or of another version."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as columns:
            found = {name: columns[name] for name in columns.files}
            return found if int(found.pop("version")) == version else {}
    except (OSError, ValueError, KeyError, IndexError, EOFError, BadZipFile, TypeError):
        return {}


def write_columns(path: Path, version: int, columns: Mapping[str, np.ndarray]) -> None:
    """A folder that cannot be written only costs time later."""

    def write(aside: Path) -> None:
        with aside.open("wb") as file:
            np.savez(file, version=np.array(version), **columns)  # type: ignore[arg-type]

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, write)
    except (OSError, MachineError):
        return


def of_digests(digests: Iterable[bytes]) -> np.ndarray:
    """(N, 32) uint8."""
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, SHA256_BYTES)
