"""Memory that a step gives back is kept for the next one, until it is given back to the system."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from functools import cache

M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4
LARGEST_INT = 2**31 - 1


@cache
def keep_freed_memory() -> bool:
    """Tell glibc not to return freed memory to the system. True where it obeys; anywhere else nothing changes.

    It maps every large tensor anew and unmaps it when it is freed, so that each activation of each step comes as pages
    that the kernel has to find and fill with zeros. The next step asks for the same sizes: 40 to 70% of the page faults
    of a short training on the CPU go (ResNet-18, EfficientNet-Lite0). The process stays as large as it once was, and
    no number changes. It holds for the whole process.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # no C library of that kind: musl, macOS, Windows
        return False
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, LARGEST_INT))


def give_back() -> None:
    """Whole free pages, to the system. Other C libraries than glibc know no such call."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
