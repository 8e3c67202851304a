"""What a measurement was made on, and of what: without it no number can be compared with another."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
FLAGS = ("amx_tile", "amx_bf16", "avx512_bf16", "avx512_vnni", "avx512f", "avx2")
BF16 = ("amx_bf16", "avx512_bf16")


def machine() -> dict[str, Any]:
    """Processor, memory and system."""
    told = _cpu()
    flags = set(told.get("flags", "").split())
    return {
        "cpu": told.get("model name", platform.processor()),
        "cores": len(os.sched_getaffinity(0)),
        "flags": [flag for flag in FLAGS if flag in flags],
        "ram_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def has_bf16() -> bool:
    """Whether the processor computes in bf16, rather than imitating it."""
    return any(flag in machine()["flags"] for flag in BF16)


def load() -> float:
    """Processes that wanted to run, the mean of the last minute: more than a few tenths, and others compute too."""
    return round(os.getloadavg()[0], 2)


def commit() -> str:
    """The commit of this checkout; `+` when files of it were changed since."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _cpu() -> dict[str, str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return {}
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
