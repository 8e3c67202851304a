"""The layer map of any PyTorch model: declared by its library where it is, else read off the order of its modules."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from ftcli.components.backbone import Depth, is_classifier
from ftcli.components.backbone.declared import declared_depth, ordered_depth
from ftcli.engine.layer_map import layer_map_of
from ftcli.errors import ModelError
from ftcli.plans.layer_map import HEAD, Layer, LayerMap, Parameter

_HEAD_NAMES = (
    "head",
    "heads",
    "classifier",
    "fc",
    "score",
    "lm_head",
    "logits",
    "output",
    "out",
    "last_linear",
)
_WRAPPERS = {"DataParallel": "module", "DistributedDataParallel": "module", "OptimizedModule": "_orig_mod"}
"""Modules around a model that are no part of it, and where they keep it."""


@dataclass(frozen=True)
class MappedModel:
    """`model` is what was found inside all wrappers; `prefix` leads to it from the outermost ("model.")."""

    model: nn.Module
    prefix: str
    layer_map: LayerMap
    module_layers: dict[str, int]
    heads: tuple[str, ...] = ()
    """Paths of the modules that are the head."""


def map_any(model: nn.Module) -> MappedModel:
    """Never refuses a model: without any order to be seen, everything below the head is one layer."""
    inner, prefix = _unwrapped(model)
    name = type(inner).__name__
    declared = declared_depth(inner)
    for heads, depth in ([declared] if declared else []) + [_guessed(inner)]:
        try:
            return MappedModel(inner, prefix, *layer_map_of(inner, heads, depth, name), heads)
        except (ModelError, ValueError):
            continue  # declared for another shape of this model, or nothing is below the head
    return MappedModel(inner, prefix, _one_layer(inner, name), {path: 0 for path, _ in inner.named_modules()})


def _unwrapped(model: nn.Module) -> tuple[nn.Module, str]:
    """The model inside DataParallel, compile and modules that do nothing but hold it."""
    kind = type(model).__name__
    if kind in _WRAPPERS:
        return _unwrapped(getattr(model, _WRAPPERS[kind]))
    children = [
        (name, child) for name, child in model.named_children() if any(True for _ in child.parameters())
    ]
    own = list(model.parameters(recurse=False))
    if len(children) == 1 and not own and declared_depth(model) is None and list(children[0][1].children()):
        name, child = children[0]
        inner, prefix = _unwrapped(child)
        return inner, f"{name}.{prefix}"
    return model, ""


def _guessed(model: nn.Module) -> tuple[tuple[str, ...], Depth]:
    heads = _guess_head(model)
    return heads, ordered_depth(model, heads)


def _guess_head(model: nn.Module) -> tuple[str, ...]:
    """The last child with a head's name; else the last linear layer; else the last module with parameters."""
    children = [name for name, child in model.named_children() if any(True for _ in child.parameters())]
    named = [name for name in children if name in _HEAD_NAMES]
    if named:
        return (named[-1],)
    owners = [
        path for path, module in model.named_modules() if path and list(module.parameters(recurse=False))
    ]
    linear = [path for path in owners if is_classifier(model.get_submodule(path))]
    return tuple((linear or owners)[-1:])


def _one_layer(model: nn.Module, name: str) -> LayerMap:
    parameters = tuple(
        Parameter(n, tuple(p.shape), 0, HEAD, is_norm=False) for n, p in model.named_parameters()
    )
    return LayerMap(name, (Layer(0, HEAD, HEAD),), parameters)
