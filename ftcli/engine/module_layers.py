"""Which layer a module works in, so that a layer's dropout, drop-path and norms get their mode with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from torch import nn


def module_layers(model: nn.Module, heads: Sequence[str], layer_of: Mapping[str, int]) -> dict[str, int]:
    """From module name to layer index, for all but the containers (the root among them) of several layers.

    `layer_of` gives the layer of each parameter. A module without parameters works where its container does,
    or, where that spans several layers, in the layer of the module registered before it. What is registered
    between the last parameter of the backbone and the head (a pooling, a dropout) belongs to the head.
    """
    spans = _spans(layer_of)
    names = [name for name, _ in model.named_modules()]
    head = max(layer_of.values())
    tail = _tail_start(names, heads, layer_of, head)
    found: dict[str, int] = {}
    previous = 0
    for position, name in enumerate(names):
        container = name.rpartition(".")[0]
        if name in spans:
            if len(spans[name]) > 1:
                continue
            (previous,) = spans[name]
            found[name] = previous
        elif container in found:
            found[name] = found[container]
        else:
            found[name] = head if position >= tail else previous
    return found


def _spans(layer_of: Mapping[str, int]) -> dict[str, set[int]]:
    """For each module with parameters, in it or below it, the layers of these."""
    spans: dict[str, set[int]] = defaultdict(set)
    for name, layer in layer_of.items():
        path = name.split(".")[:-1]
        for depth in range(len(path) + 1):
            spans[".".join(path[:depth])].add(layer)
    return dict(spans)


def _tail_start(names: list[str], heads: Sequence[str], layer_of: Mapping[str, int], head: int) -> int:
    """The position after the last module before the head that has parameters of the backbone."""
    owners = {name.rpartition(".")[0] for name, layer in layer_of.items() if layer != head}
    before = names[: min(names.index(path) for path in heads)]
    return max((position + 1 for position, name in enumerate(before) if name in owners), default=len(names))
