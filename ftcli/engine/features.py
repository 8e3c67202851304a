"""What each stage makes of a batch, kept as how alike its images look there: a Gram matrix (N, N) a stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ftcli.engine.network import Network
from ftcli.plans.layer_map import HEAD

Stages = dict[str, Tensor]
"""Stage -> centred Gram matrix (N, N) of its features, float64 on the CPU."""


def stage_features(network: Network, forward: Callable[[], Tensor]) -> Stages:
    """One forward pass, watched. A stage's features are what the last of its modules to finish gave out."""
    outputs: dict[str, Tensor] = {}
    count = 0

    def watch(stage: str) -> Callable[[nn.Module, Any, Any], None]:
        def keep(module: nn.Module, arguments: Any, output: Any) -> None:
            found = _first_tensor(output)
            if found is not None:
                outputs[stage] = found

        return keep

    layers = network.layer_map.layers
    modules = dict(network.model.named_modules())
    hooks = [
        modules[name].register_forward_hook(watch(layers[layer].stage))
        for name, layer in network.module_layers.items()
        if layers[layer].stage != HEAD
    ]
    try:
        count = len(forward())
    finally:
        for hook in hooks:
            hook.remove()
    return {stage: gram(output) for stage, output in outputs.items() if len(output) == count}


def _first_tensor(output: Any) -> Tensor | None:
    """Of a module's output: a tensor, or tuples, lists and mappings of them."""
    if isinstance(output, Tensor):
        return output if output.ndim > 1 else None
    parts = (
        output.values()
        if isinstance(output, Mapping)
        else output
        if isinstance(output, (tuple, list))
        else ()
    )
    return next((found for part in parts if (found := _first_tensor(part)) is not None), None)


def gram(features: Tensor) -> Tensor:
    """(N, ...) -> (N, N): the products of images' features, once their mean is taken off."""
    flat_NK = features.flatten(1).float()
    centred_NK = flat_NK - flat_NK.mean(dim=0)
    return (centred_NK @ centred_NK.T).cpu().to(torch.float64)
