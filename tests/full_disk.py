"""A disk that fills up: a process that may not write a file beyond so many bytes.

A process of its own, for the limit holds for every file of a process: with pytest's own it would end pytest, as soon
as what it prints goes to a file.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def python_where_files_end_at(size: int, code: str, *arguments: object) -> str:
    """What ``code`` prints where a write goes to byte ``size`` of a file and the next one fails."""
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n"
    return python(limit + code, *arguments)


def python(code: str, *arguments: object) -> str:
    """What a process of its own prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def full_from_write(number: int) -> Iterator[list[int]]:
    """The disk is full in the middle of call ``number`` of ``os.write`` (from 0), and stays so. Only in a process of
    its own. Yields the sizes of the writes that were asked for."""
    import resource

    real, asked = os.write, []
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def write(descriptor: int, raw: Any) -> int:
        asked.append(len(raw))
        if len(asked) - 1 == number:
            end = os.lseek(descriptor, 0, os.SEEK_CUR) + len(raw) // 2
            resource.setrlimit(resource.RLIMIT_FSIZE, (end, before[1]))
        return real(descriptor, raw)

    os.write = write  # type: ignore[assignment]
    try:
        yield asked
    finally:
        os.write = real
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
