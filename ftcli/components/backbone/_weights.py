"""Weights from a file, into a network: the one place that unpickles, and tensors are all that it accepts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ftcli.errors import ModelError

_WRAPPERS = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before every name."""


def load_weights(model: nn.Module, path: Path, head_path: str) -> str:
    """Put a file's tensors into the model, all but the classifier's, which the new head replaces.

    Returns the note for the user. Raises ModelError when a tensor is missing, unknown or of another shape.
    """
    tensors = read_tensors(path)
    backbone = {name: tensor for name, tensor in tensors.items() if not _below(name, head_path)}
    _check(model, backbone, head_path, path)
    model.load_state_dict(backbone, strict=False)
    left_out = "" if len(backbone) == len(tensors) else ", the classifier left out"
    return f"file {path.name}: {len(backbone)} tensors{left_out}"


def is_file(weights: str) -> bool:
    """Whether the recipe's `weights` names a file. Raises ModelError for one that is not there."""
    if weights in ("default", "none"):
        return False
    if not Path(weights).is_file():
        raise ModelError("no such weights file", where=weights, remedy="weights: default, none, or a file's path")
    return True


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Names and tensors of a .safetensors, .pth or .pt file, out of the dict that training scripts wrap them in."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if path.suffix not in (".pth", ".pt"):
            raise _unknown_kind(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise _refused(path) from error
    except (OSError, SafetensorError, RuntimeError, EOFError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"cannot read the weights: {reason}", where=str(path)) from error
    return _unwrapped(content, path)


def _unknown_kind(path: Path) -> ModelError:
    what = f"weights of an unknown kind: {path.suffix or 'no suffix'}"
    return ModelError(what, where=str(path), remedy="give a .safetensors, .pth or .pt file")


def _refused(path: Path) -> ModelError:
    what = "the file holds more than tensors, or is no file of torch.save; it was not opened, as it could run code"
    remedy = "save its state_dict alone: torch.save(model.state_dict(), path), or as .safetensors"
    return ModelError(what, where=str(path), remedy=remedy)


def _unwrapped(content: Any, path: Path) -> dict[str, Tensor]:
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise _refused(path)
    tensors = dict(content)
    for prefix in _PREFIXES:
        if tensors and all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def _check(model: nn.Module, tensors: Mapping[str, Tensor], head_path: str, path: Path) -> None:
    expected = {name: t.shape for name, t in model.state_dict().items() if not _below(name, head_path)}
    missing = [n for n in expected if n not in tensors and not n.endswith("num_batches_tracked")]  # new in torch 0.4.1
    unknown = [name for name in tensors if name not in expected]
    reshaped = [
        f"{name} {tuple(tensors[name].shape)} instead of {tuple(shape)}"
        for name, shape in expected.items()
        if name in tensors and tensors[name].shape != shape
    ]
    wrong = [
        f"{len(names)} {what}: {_first(names)}"
        for what, names in (("missing", missing), ("not the model's", unknown), ("of another shape", reshaped))
        if names
    ]
    if wrong:
        what = f"the weights do not fit the model; tensors {'; '.join(wrong)}"
        remedy = "model.backbone must name the model that the weights are of"
        raise ModelError(what, where=str(path), remedy=remedy)


def _first(names: Iterable[str], count: int = 3) -> str:
    listed = list(names)
    return ", ".join(listed[:count]) + (", ..." if len(listed) > count else "")


def _below(name: str, path: str) -> bool:
    return name.startswith(f"{path}.")
