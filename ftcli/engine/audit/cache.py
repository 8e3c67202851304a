"""Fingerprints that were taken before, by the content of the file: an image that is known is not decoded again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ftcli.engine.audit.fingerprint import Fingerprint
from ftcli.engine.cache.columns import of_digests, read_columns, record_of, write_columns
from ftcli.engine.cache.home import cache_home

VERSION = 3
"""Raised whenever a fingerprint would come out otherwise: what an older version kept is not read."""


def cache_file(source: str) -> Path:
    """Where the fingerprints of a source of data lie."""
    return record_of(source, cache_home() / "audit")


def read_cache(path: Path) -> dict[bytes, Fingerprint]:
    """By SHA-256 of the file. Nothing when there is none, or it is damaged or of another version."""
    columns = read_columns(path, VERSION)
    try:
        return _rows(columns) if columns else {}
    except (KeyError, IndexError, ValueError):
        return {}


def write_cache(path: Path, kept: Mapping[bytes, Fingerprint]) -> None:
    prints = list(kept.values())
    columns = {
        "files": of_digests(kept),
        "digests": of_digests(found.digest for found in prints),
        "sizes": np.array([[f.width, f.height, f.spread] for f in prints], np.int64).reshape(-1, 3),
        "gray": np.array([found.gray for found in prints], np.uint8),
        "colour": np.array([found.colour for found in prints], np.uint8),
        "levels": np.array([[*f.mean, *f.std] for f in prints], np.float64).reshape(-1, 6),
    }
    write_columns(path, VERSION, columns)


def _rows(columns: Mapping[str, np.ndarray]) -> dict[bytes, Fingerprint]:
    sizes, levels = columns["sizes"].tolist(), columns["levels"].tolist()
    return {
        file.tobytes(): Fingerprint(
            digest=columns["digests"][i].tobytes(),
            width=sizes[i][0],
            height=sizes[i][1],
            gray=columns["gray"][i],
            colour=columns["colour"][i],
            mean=tuple(levels[i][:3]),
            std=tuple(levels[i][3:]),
            spread=sizes[i][2],
        )
        for i, file in enumerate(columns["files"])
    }
