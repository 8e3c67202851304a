"""The most memory that a run has held: of the process, or of the GPU where the network is there."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from ftcli.engine.memory import give_back

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


class PeakMemory:
    """Counts from when it is made. What earlier work of the process has freed is given back to the system first:

    a small run after a large one would else be as large. Linux tells a process its own peak and resets it; elsewhere
    a process does not know, and `bytes` is None.
    """

    def __init__(self, device: str) -> None:
        self._on_gpu = device == "cuda"
        if self._on_gpu:
            import torch

            torch.cuda.reset_peak_memory_stats()
            self._counts = True
        else:
            give_back()
            self._counts = _reset()

    @property
    def bytes(self) -> int | None:
        """Of the process: resident, Python, its libraries and mapped files included. Of a GPU: torch's allocations."""
        if self._on_gpu:
            import torch

            return torch.cuda.max_memory_allocated()
        return _high_water_mark() if self._counts else None


def _reset() -> bool:
    try:
        _CLEAR.write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def _high_water_mark() -> int | None:
    with suppress(OSError):
        found = re.search(r"^VmHWM:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"), re.MULTILINE)
        return int(found[1]) * 1024 if found else None
    return None
