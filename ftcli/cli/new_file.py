"""A file that a command writes: never over one that is there."""

from __future__ import annotations

import os
from pathlib import Path

from ftcli.errors import MachineError


def write_new(path: Path, text: str, option: str) -> None:
    """Raises MachineError when the file is there already or cannot be written; `option` named it."""
    if os.path.lexists(path):
        raise MachineError(
            f"{path} is there already", remedy=f"give another file with {option}, or remove it"
        )
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise MachineError(f"cannot write {path}: {error.strerror}", remedy=f"change {option}") from error
