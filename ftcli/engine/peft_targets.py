"""The modules of a network that get an adapter: found by their types, or by the names that a recipe gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ftcli.components.backbone import is_below
from ftcli.engine.frozen_calls import evaluating
from ftcli.engine.inputs import blank, ready
from ftcli.engine.network import Network
from ftcli.errors import Problem, RecipeError
from ftcli.plans.freeze_mask import nearest_names
from ftcli.plans.peft_adapters import Adapters, last_words, matches

TARGETS, FROM_STAGE = "strategy.target_modules", "strategy.from_stage"
_KERNELS = ((1, 1), (3, 3))
_OTHER_LINEAR = "Conv1D"
"""The linear layers of GPT-2, in transformers."""


def targets_of(network: Network, asked: Adapters) -> tuple[str, ...]:
    """Whole names of modules below the head, in the order of depth. Costs a forward pass of two blank inputs.

    Where none are asked for: the linear layers, and the 1x1 and 3x3 convolutions that join all channels, of every
    stage but the stem. Raises RecipeError for a name or stage that matches nothing, with the names there are.
    """
    lowest = _lowest_stage(network, asked.from_stage)
    there = [name for name in called(network) if _is_in(network, name, lowest)]
    if asked.targets is None:
        found = [name for name in there if can_adapt(network.model.get_submodule(name))]
        if not found:
            what = f"{network.backbone} has no linear layer and no 1x1 or 3x3 convolution to adapt there"
            raise RecipeError(Problem(TARGETS, what, "name modules, or take strategy: partial"))
        return tuple(found)
    for number, pattern in enumerate(asked.targets):
        if not any(matches(name, pattern) for name in there):
            raise RecipeError(_no_match(network, there, f"{TARGETS}[{number}]", pattern))
    return tuple(name for name in there if any(matches(name, pattern) for pattern in asked.targets))


def can_adapt(module: nn.Module) -> bool:
    """Whether it is of the kinds that get an adapter unasked."""
    if isinstance(module, nn.Conv2d):
        return module.kernel_size in _KERNELS and module.groups == 1
    return isinstance(module, nn.Linear) or type(module).__name__ == _OTHER_LINEAR


def _lowest_stage(network: Network, asked: str | None) -> int:
    """Its number. The stem has no blocks: it gets adapters where it is all there is, or is asked for."""
    stages = network.layer_map.backbone_stages
    if asked is None:
        return min(1, len(stages) - 1)
    if asked not in stages:
        near = ", ".join(nearest_names(network.layer_map, asked))
        what = f"{asked!r} matches no stage of {network.layer_map.backbone}"
        raise RecipeError(Problem(FROM_STAGE, what, f"nearest: {near}"))
    return stages.index(asked)


def _is_in(network: Network, name: str, lowest: int) -> bool:
    """Whether it is a module of one layer, from a stage on and below the head."""
    layer = network.module_layers.get(name)
    if layer is None or is_below(name, network.head_modules):
        return False
    layers = network.layer_map
    return layers.stages.index(layers.layers[layer].stage) >= lowest


def called(network: Network) -> list[str]:
    """Modules with parameters of their own that a forward pass calls, in their order.

    A weight that is read past its module (the output projection of torch's MultiheadAttention) would have an
    adapter that does nothing. All of them where the network is on the meta device and its code looks at values.
    """
    owners = {name.rpartition(".")[0] for name, _ in network.model.named_parameters()}
    called: set[str] = set()

    def note(name: str) -> Any:
        return lambda *_: called.add(name)

    modules = {name: module for name, module in network.model.named_modules() if name in owners}
    handles = [module.register_forward_pre_hook(note(name)) for name, module in modules.items()]
    batch = blank(network.preprocessing, 2, next(network.model.parameters()).device)
    try:
        with (
            evaluating(network),
            torch.enable_grad(),
        ):  # without gradients torch takes ways around its modules
            network.model(ready(batch, network.preprocessing))
    except RuntimeError:
        if not batch.is_meta:
            raise
        called.update(modules)
    finally:
        for handle in handles:
            handle.remove()
    return [name for name in modules if name in called]


def _no_match(network: Network, there: Sequence[str], path: str, pattern: str) -> Problem:
    names = dict.fromkeys(last_words(name) for name in there if can_adapt(network.model.get_submodule(name)))
    remedy = f"names there are: {', '.join(names)}"
    everywhere = [name for name, _ in network.model.named_modules() if matches(name, pattern)]
    if not everywhere:
        return Problem(path, f"{pattern!r} matches no module of {network.backbone}", remedy)
    if all(is_below(name, network.head_modules) for name in everywhere):
        return Problem(path, f"{pattern!r} is in the head, which trains whole", remedy)
    why = "is not called where an adapter could be: it is below the stages asked for, or its weights are read past it"
    return Problem(path, f"{pattern!r} {why}", remedy)
