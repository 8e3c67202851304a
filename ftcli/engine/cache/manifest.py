"""What an entry of the store is: in words, and in the numbers that its files are checked against."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, get_args

FORMAT = 1
"""Raised when files are laid out otherwise: what an older one kept is not read."""
MANIFEST, DATA, ROWS = "manifest.json", "data.bin", "rows.bin"

Kind = Literal["images", "features"]


class Damaged(Exception):
    """An entry does not hold what was written into it."""


@dataclass(frozen=True)
class Manifest:
    """`shape` is that of the whole tensor (N, ...); of images, which differ in height and width, it is (N,)."""

    key: str
    kind: Kind
    shape: tuple[int, ...]
    dtype: str
    about: Mapping[str, Any]
    """`what` in words; the rest belongs to whoever wrote the entry."""
    ragged: bool = False
    created: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    """File -> bytes."""
    checksums: Mapping[str, int] = field(default_factory=dict)
    """File -> CRC-32, where a file has one for all of it: images have one each."""

    @property
    def bytes(self) -> int:
        return sum(self.sizes.values())


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Flushed to disk, with a digest of its own."""
    content = {"format": FORMAT, **asdict(manifest)}
    text = json.dumps({**content, "sha256": _digest(content)}, indent=2) + "\n"
    with (folder / MANIFEST).open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def read_manifest(folder: Path) -> Manifest:
    """Raises Damaged, and OSError where it cannot be read. The folder's name is the key."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        said = content.pop("sha256")
        if said != _digest(content) or content.pop("format") != FORMAT:
            raise Damaged("its manifest was changed, or is of another version of ftcli")
        manifest = Manifest(**{**content, "shape": tuple(content["shape"])})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Damaged("its manifest cannot be read") from error
    if manifest.key != folder.name or manifest.kind not in get_args(Kind):
        raise Damaged("its manifest is another entry's")
    return manifest


def _digest(content: Mapping[str, Any]) -> str:
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
