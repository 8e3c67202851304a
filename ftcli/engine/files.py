"""Files that are either whole or not there: written aside, flushed to disk, then renamed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ftcli.errors import MachineError


def replace_file(path: Path, write: Callable[[Path], None]) -> None:
    """`write` fills a temporary file beside `path`, which then takes its place.

    A reader sees the old file or the new one, whatever happens in between. Raises MachineError when it cannot.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(aside)
        flush(aside)
        os.replace(aside, path)
        flush(path.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise MachineError(
            f"cannot write: {reason}", where=str(path), remedy="check the path and its disk"
        ) from error
    finally:
        aside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    replace_file(path, lambda aside: _write(aside, text))


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
