"""The cut before the head: what reaches the head's first modules are the features, the head alone is the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ftcli.components.backbone import is_classifier, width_of
from ftcli.engine.network import Network


class _Captured(Exception):
    """Ends a forward pass once the features are known."""


class MeanOfHeads(nn.Module):
    """Several classifiers, each on its part of the features (B, sum of widths), and the mean of their logits."""

    def __init__(self, heads: Sequence[nn.Module]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)
        layers = [next(module for module in head.modules() if is_classifier(module)) for head in heads]
        self.widths = [width_of(layer) for layer in layers]

    def forward(self, features: Tensor) -> Tensor:
        parts = features.split(self.widths, dim=1)
        logits: Tensor = sum(head(part) for head, part in zip(self.heads, parts, strict=True)) / len(parts)
        return logits


def cut_before_head(network: Network) -> tuple[tuple[nn.Module, ...], nn.Module]:
    """The first modules of the head (their inputs are the features), and the head as a whole."""
    if network.tail:
        modules = [network.model.get_submodule(path) for path in network.tail]
        return (modules[0],), nn.Sequential(*modules)
    cuts = [_cut_before(network, path) for path in network.heads]
    firsts, tails = tuple(first for first, _ in cuts), [tail for _, tail in cuts]
    return firsts, tails[0] if len(tails) == 1 else MeanOfHeads(tails)


def _cut_before(network: Network, path: str) -> tuple[nn.Module, nn.Module]:
    """In a Sequential the head may begin with a dropout that stands before the new layer; a classifier that is a
    convolution may be followed by its pooling.
    """
    head = network.model.get_submodule(path)
    container, _, last = path.rpartition(".")
    parent = network.model.get_submodule(container)
    if not isinstance(parent, nn.Sequential):
        return head, nn.Sequential(head, nn.Flatten())
    head_layer = network.layer_map.layers[-1].index
    names = [name for name, _ in parent.named_children()]
    start = names.index(last)
    while start > 0 and network.module_layers.get(f"{container}.{names[start - 1]}") == head_layer:
        start -= 1
    children = list(parent.children())[start:]
    return children[0], nn.Sequential(*children, nn.Flatten())


def inputs_of(
    modules: Sequence[nn.Module], forward: Callable[[Tensor], Tensor], images: Tensor
) -> Tensor | None:
    """What reaches the modules in a forward pass, side by side; it ends at the last. None when one gets nothing."""
    seen: dict[nn.Module, Tensor] = {}

    def capture(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        seen[module] = arguments[0]
        if len(seen) == len(modules):
            raise _Captured

    handles = [module.register_forward_pre_hook(capture) for module in modules]
    try:
        forward(images)
    except _Captured:
        found = [seen[module] for module in modules]
        return found[0] if len(found) == 1 else _side_by_side(found)
    finally:
        for handle in handles:
            handle.remove()
    return None


def _side_by_side(features: Sequence[Tensor]) -> Tensor | None:
    flat = all(part.ndim == 2 for part in features)
    return torch.cat(list(features), dim=1) if flat else None
