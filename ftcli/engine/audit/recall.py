"""Near copies that were found before among the very same images: recalled, for laying them on each other takes long."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path

import numpy as np

from ftcli.engine.audit import cache
from ftcli.engine.audit.search import NearPairs
from ftcli.engine.cache.columns import read_columns, record_of, write_columns
from ftcli.engine.cache.home import cache_home

VERSION = 1
"""Raised whenever the search would find otherwise: what an older version found is not taken."""


def pairs_file(source: str) -> Path:
    """Where the near copies of a source of data lie: those of the last time."""
    return record_of(source, cache_home() / "audit" / "pairs")


def recalled(source: str, digests: Iterable[bytes], find: Callable[[], NearPairs]) -> NearPairs:
    """What `find` gives for the images with these digests (`Fingerprint.digest`), in this order."""
    path, images = pairs_file(source), _named(digests)
    before = _read(path, images)
    if before is not None:
        return before
    found = find()
    write_columns(path, VERSION, {"images": images, **vars(found)})
    return found


def _named(digests: Iterable[bytes]) -> np.ndarray:
    """One digest of all of them; fingerprints that are made otherwise are others, though the pixels be the same."""
    total = sha256(f"{cache.VERSION} ".encode())
    for digest in digests:
        total.update(digest)
    return np.frombuffer(total.digest(), np.uint8)


def _read(path: Path, images: np.ndarray) -> NearPairs | None:
    """None where other images were compared, or nothing was, or the file is damaged."""
    columns = read_columns(path, VERSION)
    if not np.array_equal(columns.pop("images", images[:0]), images):
        return None
    try:
        found = NearPairs(**columns)
    except TypeError:
        return None
    whole = found.pairs.ndim == 2 and len({len(column) for column in vars(found).values()}) == 1
    return found if whole else None
