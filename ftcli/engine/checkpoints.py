"""The checkpoints of a run: each a folder that is whole or not there, beside the frozen tensors that they share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from safetensors.torch import load
from torch import Tensor

from ftcli.engine.checkpoint_base import FORMAT, Spare, read_base
from ftcli.engine.checkpoint_manifest import (
    MANIFEST,
    STATE,
    Damaged,
    Manifest,
    base_file,
    manifest_bytes,
    read_checked,
    read_manifest,
)
from ftcli.engine.files import (
    Written,
    digest_of,
    discard,
    flush,
    write_bytes,
    write_json,
    write_proved,
    written_aside,
)
from ftcli.engine.tensor_bytes import tensor_bytes

LATEST = "latest.json"
"""Names the newest checkpoint that was proved; written last."""


def names(folder: Path) -> list[str]:
    """Of all checkpoints that are there, the oldest first."""
    with suppress(OSError):
        found = (path.name for path in folder.iterdir() if path.is_dir())
        return sorted((name for name in found if name.isdecimal()), key=int)
    return []


def next_name(folder: Path) -> str:
    return f"{int((names(folder) or ['0'])[-1]) + 1:06}"


def write_checkpoint(
    folder: Path, name: str, state: Mapping[str, Tensor], describe: Callable[[Written], Manifest]
) -> None:
    """The old ones are as they were, whatever happens in between. Raises MachineError."""
    made = tensor_bytes(state, FORMAT)
    size = made.size + len(manifest_bytes(describe(Written(made.size, sha256().hexdigest()))))
    with written_aside(folder / name, size) as aside:
        aside.mkdir(parents=True)
        raw = memoryview(manifest_bytes(describe(write_proved(aside / STATE, made.chunks))))
        manifest = write_proved(aside / MANIFEST, lambda: [raw])
        flush(aside)
        os.rename(aside, folder / name)
        flush(folder)
    _point_to(folder, name, manifest.sha256)


def rewrite_manifest(folder: Path, manifest: Manifest) -> None:
    """What a checkpoint says of itself is now this; `latest` has to be pointed to it anew. Raises MachineError."""
    write_bytes(folder / manifest.name / MANIFEST, manifest_bytes(manifest))


def read_checkpoint(
    folder: Path, name: str, spare: Spare | None = None
) -> tuple[Manifest, dict[str, Tensor]]:
    """Every byte is checked; the base's tensors are among the state's, or `spare` has them. Raises Damaged."""
    manifest = read_manifest(folder / name)
    state = load(read_checked(folder / name / STATE, manifest.state))
    return manifest, read_base(folder, manifest, spare) | state


def retain(folder: Path, keep: int, best: str | None) -> None:
    """Remove all but the last `keep` and the best; what cannot be removed is left for the next time."""
    for name in superfluous(names(folder), keep, best):
        discard(folder / name)
    _remove_bases(folder)


def drop_after(folder: Path, name: str) -> None:
    """Remove what is newer: the run goes on from here."""
    for newer in names(folder):
        if int(newer) > int(name):
            discard(folder / newer)
    _point_to(folder, name, digest_of(folder / name / MANIFEST))


def superfluous(found: Sequence[str], keep: int, best: str | None) -> list[str]:
    """Which to remove of these, the oldest first."""
    return [name for name in found[:-keep] if name != best]


def _point_to(folder: Path, name: str, manifest: str) -> None:
    """`manifest` is the SHA-256 of its file."""
    write_json(folder / LATEST, {"checkpoint": name, "sha256": manifest})


def _remove_bases(folder: Path) -> None:
    """Those that no checkpoint refers to; none as long as one does not say what it refers to."""
    bases = set(folder.glob("base-*.safetensors"))
    if len(bases) < 2:
        return
    with suppress(Damaged):
        manifests = [read_manifest(folder / name) for name in names(folder)]
        needed = {folder / base_file(manifest.base) for manifest in manifests if manifest.base is not None}
        for path in bases - needed:
            discard(path)
