"""Locks on open files: who uses one shares it, who wants to remove it must have it alone.

They are the system's: they end with the process that holds them, however it ends.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where the system itself refuses to remove what is in use
    fcntl = None  # type: ignore[assignment]

PATIENCE_SECONDS = 1.0
"""To share a file that somebody has alone: he only looks whether it is in use, or takes its name away."""
LOOKS = 100
LOOK_SECONDS = 0.002


def are_known() -> bool:
    """Whether this system has them."""
    return fcntl is not None


def share(descriptor: int) -> bool:
    """False when somebody keeps the file for himself. True also where a file system knows no locks."""
    if fcntl is None:
        return True
    ends = time.monotonic() + PATIENCE_SECONDS
    while (taken := _taken(descriptor, fcntl.LOCK_SH)) is False and time.monotonic() < ends:
        time.sleep(LOOK_SECONDS)
    return taken is not False


def take_alone(descriptor: int) -> bool | None:
    """False when somebody else has the file; None where a file system knows no locks.

    Who has it alone for a moment, to see whether he could, is waited for.
    """
    if fcntl is None:
        return True
    for _ in range(LOOKS):
        taken = _taken(descriptor, fcntl.LOCK_EX)
        if taken is not False:
            return taken
        if _taken(descriptor, fcntl.LOCK_SH):  # it is shared: unless by somebody who asks as we do
            taken = _taken(descriptor, fcntl.LOCK_EX)
            if not taken:
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            return taken
        time.sleep(LOOK_SECONDS)
    return False


def is_still(descriptor: int, path: Path) -> bool:
    """Whether the open file is the one of that name: not one that was removed between opening and locking it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def _taken(descriptor: int, how: int) -> bool | None:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
