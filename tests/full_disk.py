"""A disk that fills up: a process that may not write a file beyond so many bytes.

A process of its own, for the limit holds for every file of a process: with pytest's own it would end pytest, as soon
as what it prints goes to a file.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def python_where_files_end_at(size: int, code: str, *arguments: object) -> str:
    """What ``code`` prints where a write goes to byte ``size`` of a file and the next one fails."""
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n"
    done = subprocess.run(
        [sys.executable, "-c", limit + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
