"""The file of frozen tensors that checkpoints share: written once, and made anew where the disk has lost it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from safetensors.torch import load
from torch import Tensor

from ftcli.engine.checkpoint_manifest import Damaged, Manifest, base_file, read_checked
from ftcli.engine.files import Written, flush, write_proved, written_aside
from ftcli.engine.tensor_bytes import tensor_bytes
from ftcli.errors import MachineError

FORMAT = {"format": "pt"}


@dataclass(frozen=True)
class Spare:
    """Tensors of the network as it was opened: what no phase has trained is in it bit for bit.

    `tell` hears of a file that was made anew from them: its path, and what was wrong with it.
    """

    tensors: Mapping[str, Tensor]
    tell: Callable[[Path, Damaged], None]


def write_base(folder: Path, tensors: Mapping[str, Tensor]) -> Written:
    """One with the same content is written over. Raises MachineError."""
    made = tensor_bytes(tensors, FORMAT)
    with written_aside(folder / "base", made.size) as aside:
        folder.mkdir(parents=True, exist_ok=True)
        base = write_proved(aside, made.chunks)
        os.replace(aside, folder / base_file(base))
        flush(folder)
    return base


def read_base(folder: Path, manifest: Manifest, spare: Spare | None) -> dict[str, Tensor]:
    """The tensors of a checkpoint's base; none where it has none. Raises Damaged where `spare` has not these bits."""
    if manifest.base is None:
        return {}
    path = folder / base_file(manifest.base)
    try:
        return load(read_checked(path, manifest.base))
    except Damaged as damage:
        tensors = None if spare is None else _made_anew(folder, manifest, spare)
        if spare is None or tensors is None:
            raise
        spare.tell(path, damage)
        return tensors


def _made_anew(folder: Path, manifest: Manifest, spare: Spare) -> dict[str, Tensor] | None:
    """Proved by the name of the file, which is the SHA-256 of its bytes; None where the bits are others."""
    if manifest.base is None or not all(name in spare.tensors for name in manifest.base_names):
        return None
    tensors = {name: spare.tensors[name].detach().clone() for name in manifest.base_names}
    digest = sha256()
    for chunk in tensor_bytes(tensors, FORMAT).chunks():
        digest.update(chunk)
    if digest.hexdigest() != manifest.base.sha256:
        return None
    with suppress(MachineError):  # a disk that takes nothing now: the tensors are at hand all the same
        write_base(folder, tensors)
    return tensors
