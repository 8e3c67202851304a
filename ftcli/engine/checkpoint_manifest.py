"""What a checkpoint says of itself: which files it is made of, byte for byte, and how far the run had come."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ftcli.engine.files import Written

FORMAT = 1
"""Raised when checkpoints are laid out otherwise."""
MANIFEST, STATE = "manifest.json", "state.safetensors"


class Damaged(Exception):
    """A checkpoint is not what was written."""


@dataclass(frozen=True)
class Manifest:
    """`name` is that of the checkpoint's folder."""

    name: str
    best: str | None
    """The checkpoint that holds the best weights of the run so far: this one, or an older one."""
    fingerprint: str
    """Of the plan."""
    progress: Mapping[str, Any]
    card: Mapping[str, Any]
    """Of the model."""
    state: Written
    """What can move in the phase: model and optimizer."""
    base: Written | None
    """The file of what the phase freezes, which others share; None where there is none."""
    base_names: Sequence[str] = ()
    """Of the tensors in it."""


def base_file(base: Written) -> str:
    """Named by its content."""
    return f"base-{base.sha256}.safetensors"


def manifest_bytes(manifest: Manifest) -> bytes:
    """As they are in its file, with a digest of their own; how many does not depend on the state's digest."""
    content = {"format": FORMAT, **asdict(manifest)}
    return json.dumps({**content, "sha256": _digest(content)}, ensure_ascii=False).encode()


def read_manifest(folder: Path) -> Manifest:
    """Raises Damaged."""
    try:
        content = json.loads((folder / MANIFEST).read_bytes())
        said = content.pop("sha256")
        if said != _digest(content) or content.pop("format") != FORMAT:
            raise Damaged("its manifest was changed, or is of another version of ftcli")
        state, base = Written(**content.pop("state")), content.pop("base")
        manifest = Manifest(**content, state=state, base=None if base is None else Written(**base))
    except FileNotFoundError as error:
        raise Damaged("its manifest is missing") from error
    except OSError as error:
        raise Damaged(f"its manifest cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Damaged("its manifest cannot be read") from error
    if manifest.name != folder.name:
        raise Damaged("its manifest is another checkpoint's")
    return manifest


def read_checked(path: Path, expected: Written) -> bytes:
    """The bytes of a file, which are those that were written. Raises Damaged."""
    try:
        raw = path.read_bytes() if path.stat().st_size == expected.size else None
    except FileNotFoundError as error:
        raise Damaged(f"{path.name} is missing") from error
    except OSError as error:
        raise Damaged(f"{path.name} cannot be read: {error.strerror}") from error
    if raw is None:
        raise Damaged(f"{path.name} has not the {expected.size:,} bytes that were written")
    if sha256(raw).hexdigest() != expected.sha256:
        raise Damaged(f"{path.name} has another SHA-256 than what was written")
    return raw


def _digest(content: Mapping[str, Any]) -> str:
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
