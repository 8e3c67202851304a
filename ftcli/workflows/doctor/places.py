"""Can be written where ftcli writes, and is there room."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from ftcli.engine.cache.home import cache_home
from ftcli.plans.health import Check, Status

LITTLE = 5 * 2**30
"""Bytes: some runs with their checkpoints, or the weights of a large network."""
NONE = 2**28
SHARED_MEMORY = Path("/dev/shm")
LITTLE_SHARED = 2**30


def place_checks() -> tuple[Check, ...]:
    """Folders that are not there yet are judged by the nearest one above them; none is made."""
    return (
        _folder("runs folder", Path("runs"), "problem", "work in another folder, or give --out"),
        _folder("cache", cache_home(), "note", "runs decode their images anew: set XDG_CACHE_HOME"),
        _folder("hub cache", hub_cache(), "note", "weights cannot be downloaded: set HF_HOME"),
        *_shared_memory(),
    )


def hub_cache() -> Path:
    """Where the Hugging Face hub's client keeps what it has downloaded."""
    home = os.environ.get("HF_HOME") or str(
        Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    )
    return Path(os.environ.get("HF_HUB_CACHE") or str(Path(home) / "hub")).expanduser()


def _folder(name: str, folder: Path, worst: Status, remedy: str) -> Check:
    there = _nearest(folder.absolute())
    try:
        with tempfile.TemporaryFile(dir=there):
            free = shutil.disk_usage(there).free
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return Check(name, worst, f"cannot write to {folder.absolute()}: {reason}", remedy)
    found = f"{folder.absolute()}: writable, {free / 2**30:,.1f} GiB free"
    facts = (("path", str(folder.absolute())), ("free_bytes", free))
    if free < NONE:
        return Check(name, worst, found, f"free some space; {remedy}", facts)
    if free < LITTLE:
        return Check(name, "note", found, "little room: ftcli cache clear, or another disk", facts)
    return Check(name, "ok", found, facts=facts)


def _nearest(folder: Path) -> Path:
    """The folder, or the first one above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _shared_memory() -> tuple[Check, ...]:
    """What processes that load images hand them over in; containers often get 64 MB."""
    try:
        total = shutil.disk_usage(SHARED_MEMORY).total
    except OSError:
        return ()
    facts = (("bytes", total),)
    found = f"{total / 2**30:,.1f} GiB in {SHARED_MEMORY}"
    if total < LITTLE_SHARED:
        remedy = "loaders of images may run out of it: start the container with --shm-size=2g, or --ipc=host"
        return (Check("shared memory", "note", found, remedy, facts),)
    return (Check("shared memory", "ok", found, facts=facts),)
