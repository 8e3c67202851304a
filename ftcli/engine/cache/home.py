"""Where what is kept between runs lies, and how much of it there may be."""

from __future__ import annotations

import os
from math import isfinite
from pathlib import Path

from ftcli.errors import UsageError

DEFAULT_BYTES = 20 * 2**30
VARIABLE = "FTCLI_CACHE_GB"


def cache_home() -> Path:
    """$XDG_CACHE_HOME/ftcli, or ~/.cache/ftcli."""
    return Path(os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache")) / "ftcli"


def store_folder() -> Path:
    return cache_home() / "store"


def stamps_folder() -> Path:
    return cache_home() / "stamps"


def backbones_folder() -> Path:
    return cache_home() / "backbones"


def effects_folder() -> Path:
    return cache_home() / "effects"


def allowed_bytes(max_bytes: int = DEFAULT_BYTES) -> int:
    """`max_bytes`, unless FTCLI_CACHE_GB says otherwise; 0 means that nothing is kept. Raises UsageError."""
    said = os.environ.get(VARIABLE, "").strip()
    if not said:
        return max_bytes
    try:
        gigabytes = float(said)
    except ValueError:
        gigabytes = -1.0
    if gigabytes < 0 or not isfinite(gigabytes):
        raise UsageError(
            f"{said!r} is no number of gigabytes", where=VARIABLE, remedy="give 0 for no cache, or 20"
        )
    return int(gigabytes * 2**30)
