"""Which checkpoint to take: the newest that is whole to go on from, the best to use."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from ftcli.engine.checkpoint_base import Spare
from ftcli.engine.checkpoint_manifest import MANIFEST, Damaged, Manifest, read_manifest
from ftcli.engine.checkpoints import LATEST, names, read_checkpoint
from ftcli.engine.files import digest_of
from ftcli.engine.weights_file import MODEL, ModelCard
from ftcli.errors import ModelError
from ftcli.findings import Finding


def newest_whole(
    folder: Path, tell: Callable[[Finding], None], spare: Spare | None = None
) -> tuple[Manifest, dict[str, Tensor]] | None:
    """Its manifest and tensors; None when the run has kept nothing yet. What is passed over is told.

    Raises ModelError when there were checkpoints and none is whole.
    """
    _check_pointer(folder, tell)
    for name in reversed(names(folder)):
        try:
            return read_checkpoint(folder, name, spare)
        except Damaged as damage:
            tell(damaged(folder / name, str(damage), "the one before it"))
    if not names(folder) and not (folder / LATEST).exists():
        return None
    remedy = "start a new run with another --out, and look after the disk"
    raise ModelError("none of the run's checkpoints is whole", where=str(folder), remedy=remedy)


def best_model(folder: Path) -> tuple[dict[str, Tensor], ModelCard] | None:
    """Weights by the network's own names, and their card; None when no epoch is kept. Raises ModelError."""
    seen: str | None = None
    while here := names(folder):
        try:
            manifest = read_manifest(folder / here[-1])
            if manifest.best is None:
                return None
            manifest, tensors = read_checkpoint(folder, manifest.best)
        except Damaged as damage:
            if here[-1] == seen:
                remedy = "go on with --resume, which takes what is whole"
                raise ModelError(
                    f"a checkpoint is damaged: {damage}", where=str(folder), remedy=remedy
                ) from damage
            seen = here[-1]  # the run may be under way and have removed it: then there is a newer one
            continue
        state = {n.removeprefix(MODEL): t for n, t in tensors.items() if n.startswith(MODEL)}
        return state, ModelCard.from_dict(dict(manifest.card))
    return None


def damaged(path: Path, reason: str, instead: str) -> Finding:
    remedy = "nothing needs to be done; where it happens again, look after the disk"
    return Finding(
        "warning", str(path), f"damaged: {reason}; {instead} is taken", remedy, "checkpoint-damaged"
    )


def _check_pointer(folder: Path, tell: Callable[[Finding], None]) -> None:
    """It names the newest, or the one before where the run was killed in between; else something was lost."""
    here = names(folder)
    try:
        said = json.loads((folder / LATEST).read_bytes())
        name, digest = said["checkpoint"], said["sha256"]
        if name not in here:
            tell(damaged(folder / name, "it is missing", "the one before it"))
        elif _digest_of(folder / name) not in (digest, None):
            raise ValueError("it does not fit the checkpoint that it names")
    except FileNotFoundError:
        if len(here) > 1:
            tell(damaged(folder / LATEST, "it is missing", "the newest whole checkpoint"))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        tell(damaged(folder / LATEST, str(error), "the newest whole checkpoint"))


def _digest_of(folder: Path) -> str | None:
    """Of a whole manifest; what is wrong with another one is told when it is read."""
    try:
        read_manifest(folder)
    except Damaged:
        return None
    return digest_of(folder / MANIFEST)
