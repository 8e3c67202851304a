"""The tensors that a network of transformers begins with: of the hub, a folder or a file."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from ftcli.errors import ModelError

from ._hf_files import SHARDS, WEIGHTS, Files, shards_of
from ._weights import is_file, read_tensors


def find_tensors(
    name: str, files: Files | None, weights: str, *, meta: bool
) -> tuple[str, dict[str, Tensor] | None]:
    """Where they are from, for the user, and they by name; None for random ones, and with `meta` for published ones.

    `files` are those of the model NAME, None for a mere architecture. Raises ModelError.
    """
    if is_file(weights):
        tensors = read_tensors(Path(weights))
        return f"file {Path(weights).name}: {len(tensors)} tensors", tensors
    if weights != "default":
        return "random", None
    if files is None:
        remedy = (
            f"name a repository (hf/OWNER/NAME) or a folder (hf/./{name}), or weights: none for random ones"
        )
        raise ModelError(f"hf/{name} is an architecture without pretrained weights", remedy=remedy)
    if files.repository is None:
        files.fetch_weights()
    return files.note, None if meta else _published(files)


def _published(files: Files) -> dict[str, Tensor]:
    """Of one file, or of several that an index names."""
    files.fetch_weights()
    folder = files.folder
    if (folder / WEIGHTS).is_file():
        return read_tensors(folder / WEIGHTS)
    shards = shards_of(folder / SHARDS)
    return {name: tensor for shard in shards for name, tensor in read_tensors(folder / shard).items()}
