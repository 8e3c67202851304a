"""A file that a command writes: never over one that is there."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryFile

from ftcli.errors import MachineError


def check_new(path: Path, option: str) -> None:
    """Raises MachineError when the file could not be written; for telling so before the work is done."""
    if os.path.lexists(path):
        raise _taken(path, option)
    try:
        with TemporaryFile(
            dir=path.parent
        ):  # permissions are not all: a disk may be read-only, or no disk at all
            pass
    except OSError as error:
        what = f"no folder {path.parent} that can be written to: {error.strerror}"
        raise MachineError(what, remedy=f"make it, or change {option}") from error


def write_new(path: Path, text: str, option: str) -> None:
    """Raises MachineError when the file is there already or cannot be written; `option` named it."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise _taken(path, option) from error
    except OSError as error:
        raise MachineError(f"cannot write {path}: {error.strerror}", remedy=f"change {option}") from error


def _taken(path: Path, option: str) -> MachineError:
    return MachineError(f"{path} is there already", remedy=f"give another file with {option}, or remove it")
