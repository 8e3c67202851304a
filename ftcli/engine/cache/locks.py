"""Who uses a file shares it; who wants to remove it must have it alone.

The locks are the system's: they end with the process that holds them, however it ends.
"""

from __future__ import annotations

try:
    import fcntl
except ImportError:  # Windows, where the system itself refuses to remove what is in use
    fcntl = None  # type: ignore[assignment]


def share(descriptor: int) -> bool:
    """False when somebody is about to remove the file. True also where a file system knows no locks."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def take_alone(descriptor: int) -> bool:
    """False when somebody uses the file, or the file system cannot tell."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
