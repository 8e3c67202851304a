"""Weights from a file, into a network: the one place that unpickles, and tensors are all that it accepts."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ftcli.errors import ModelError

from ._opened import is_below

_WRAPPERS = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before every name."""
_CAREFUL = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
"""torch's own variable, read at every torch.load."""
_ADAPTED = ".base_layer."
"""In the name of a layer that an adapter stands beside."""
_RECENT = ".num_batches_tracked"
"""A BatchNorm buffer that files from before torch 0.4.1 do not have; nothing depends on it."""


def load_weights(model: nn.Module, path: Path, heads: Iterable[str]) -> str:
    """Put a file's tensors into the model, all but the classifier's, which the new head replaces.

    Returns the note for the user. Raises ModelError when a tensor is missing, unknown or of another shape;
    so it does for a model on the meta device, which then stays as it is.
    """
    tensors = read_tensors(path)
    backbone = {name: tensor for name, tensor in tensors.items() if not is_below(name, heads)}
    _check(model, backbone, heads, path)
    if not any(parameter.is_meta for parameter in model.parameters()):
        model.load_state_dict(backbone, strict=False)
    left_out = "" if len(backbone) == len(tensors) else ", the classifier left out"
    return f"file {path.name}: {len(backbone)} tensors{left_out}"


def is_file(weights: str) -> bool:
    """Whether the recipe's `weights` names a file. Raises ModelError for one that is not there."""
    if weights in ("default", "none"):
        return False
    if not Path(weights).is_file():
        remedy = "weights: default, none, or the path of a file"
        raise ModelError("no such weights file", where=weights, remedy=remedy)
    return True


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Names and tensors of a .safetensors, .pth or .pt file, out of the dict that scripts wrap them in."""
    if path.suffix in (".pth", ".pt"):
        return _unwrapped(_unpickled(path), path)
    if path.suffix != ".safetensors":
        what = f"weights of an unknown kind: {path.suffix or 'no suffix'}"
        raise ModelError(what, where=str(path), remedy="give a .safetensors, .pth or .pt file")
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"cannot read the weights: {error}", where=str(path), remedy="download or copy it again"
        ) from error


def _unpickled(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remarks on pickles; whether it opens is what counts
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or hostile file can end in any
        raise _refused(path) from error


@contextmanager
def tensors_alone() -> Iterator[None]:
    """Whatever a library opens with torch.load in this block, it gets tensors or an error: see weights_only."""
    before = os.environ.get(_CAREFUL)
    os.environ[_CAREFUL] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_CAREFUL]
        else:
            os.environ[_CAREFUL] = before


def _refused(path: Path) -> ModelError:
    remedy = "save the state_dict alone: torch.save(model.state_dict(), path), or as .safetensors"
    return not_opened(path, remedy)


def not_opened(path: Path, remedy: str) -> ModelError:
    what = "the weights are not opened: the file is damaged, or holds more than tensors and could run code"
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


def _check(model: nn.Module, tensors: Mapping[str, Tensor], heads: Iterable[str], path: Path) -> None:
    expected = {name: t.shape for name, t in model.state_dict().items() if not is_below(name, heads)}
    wrong = {
        "missing": [name for name in expected if name not in tensors and not name.endswith(_RECENT)],
        "not the model's": [name for name in tensors if name not in expected],
        "of another shape": [
            f"{name} {tuple(tensor.shape)} instead of {tuple(expected[name])}"
            for name, tensor in tensors.items()
            if name in expected and tensor.shape != expected[name]
        ],
    }
    told = [f"{len(names)} {what}: {_first(names)}" for what, names in wrong.items() if names]
    if told:
        what = f"the weights do not fit the model; tensors {'; '.join(told)}"
        remedy = "model.backbone must name the model that the weights are of"
        if any(_ADAPTED in name for name in tensors):
            remedy = "fold the adapters into the weights first: ftcli merge RUN --out FILE.safetensors"
        raise ModelError(what, where=str(path), remedy=remedy)


def _first(names: list[str], count: int = 3) -> str:
    return ", ".join(names[:count]) + (", ..." if len(names) > count else "")
