"""How the sources say no: the same words for the same refusal."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from ftcli.errors import ModelError


def no_such_model(source: str, name: str, names: Iterable[str]) -> ModelError:
    near = get_close_matches(name, list(names), n=3, cutoff=0.5)
    nearest = ", ".join(f"{source}/{one}" for one in near)
    remedy = f"nearest: {nearest}" if near else f"see ftcli models ls --source {source}"
    return ModelError(f"{source} has no model {name!r}", remedy=remedy)


def no_default_weights(source: str, name: str) -> ModelError:
    remedy = "weights: none for random ones, or weights: FILE for a .safetensors or .pth of yours"
    return ModelError(f"{source} has no pretrained weights for {name}", remedy=remedy)


def not_fetched(what: str, error: Exception) -> ModelError:
    """The weights are known but could not be read or downloaded."""
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    remedy = "go online once (they are kept), or weights: FILE for a copy on this machine, or weights: none"
    return ModelError(f"cannot get the weights {what}: {reason}", remedy=remedy)


def wrong_size(name: str, image_size: int, why: str) -> ModelError:
    """The network cannot be made for images of that many pixels."""
    what = f"{name} cannot take images of {image_size} pixels: {why}"
    return ModelError(what, remedy="change data.image_size")


def unsupported(name: str, why: str) -> ModelError:
    remedy = "choose another backbone: ftcli models ls"
    return ModelError(f"{name} cannot be fine-tuned here: {why}", remedy=remedy)
