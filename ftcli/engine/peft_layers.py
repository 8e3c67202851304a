"""Adapters of the PEFT library in the layers of a network, which keeps its class: names change, and the map with them.

`x.weight` becomes `x.base_layer.weight`; beside it stand `x.lora_A.default.weight` and its like.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ftcli.components.backbone import is_below, quietly
from ftcli.engine.build import seeded
from ftcli.engine.layer_map import mapped
from ftcli.engine.network import Network
from ftcli.engine.peft_library import NAME, peft
from ftcli.engine.peft_prompts import with_virtual_tokens
from ftcli.engine.peft_targets import TARGETS, targets_of
from ftcli.engine.quantised_base import quantise
from ftcli.errors import Problem, RecipeError
from ftcli.plans.peft_adapters import Adapters
from ftcli.plans.quantised_base import QuantisedBase

BASE = ".base_layer."
"""What stands in the names of a layer that has an adapter beside it."""


def with_adapters(network: Network, asked: Adapters, seed: int) -> Network:
    """The network with adapters that change nothing yet; its model is changed. What is random is drawn from `seed`.

    An adapter's parameters are in the layer that they stand beside. Virtual tokens do change what it computes: see
    `with_virtual_tokens`. Raises RecipeError, ModelError.
    """
    if asked.virtual_tokens:
        return with_virtual_tokens(network, asked, seed)
    base = None if asked.quantize is None else quantise(network)
    found = asked.at(targets_of(network, asked))
    config = peft_config(found)
    with seeded(seed), quietly(), _known_to_be_quantised(network, base):
        try:
            peft().inject_adapter_in_model(config, network.model, NAME)
        except (ValueError, TypeError) as error:
            remedy = "name modules that it can adapt, or change the other options"
            raise RecipeError(
                Problem(TARGETS, f"PEFT cannot adapt these: {_first_line(error)}", remedy)
            ) from error
    layer_of, adapters = _layers_of(network, found)
    layer_map, of_module = mapped(
        network.model,
        network.head_modules,
        network.layer_map.backbone,
        network.layer_map.layers,
        layer_of,
        adapters,
    )
    return replace(network, layer_map=layer_map, module_layers=of_module, adapters=found, quantised=base)


def peft_config(adapters: Adapters) -> Any:
    """The library's own config, for targets that were found."""
    library, targets = peft(), list(adapters.targets or ())
    if adapters.method == "ia3":
        return library.IA3Config(target_modules=targets, feedforward_modules=list(adapters.inputs))
    return library.LoraConfig(target_modules=targets, **adapters.settings)


def _layers_of(network: Network, found: Adapters) -> tuple[dict[str, int], set[str]]:
    """Of every parameter as it is called now, and the names of those that are an adapter's."""
    before, modules = network.layer_map.by_name, network.module_layers
    layer_of: dict[str, int] = {}
    adapters: set[str] = set()
    for name, _ in network.model.named_parameters():
        own = name.replace(BASE, ".")
        if own in before:
            layer_of[name] = before[own].layer
        else:
            target = max((t for t in found.targets or () if is_below(name, [t])), key=len)
            layer_of[name] = modules[target]
            adapters.add(name)
    return layer_of, adapters


@contextmanager
def _known_to_be_quantised(network: Network, base: QuantisedBase | None) -> Iterator[None]:
    """As transformers says it of a model: PEFT asks before it puts adapters beside layers of bitsandbytes."""
    if base is None:
        yield
        return
    network.model.is_loaded_in_4bit = True  # type: ignore[assignment]
    try:
        yield
    finally:
        del network.model.is_loaded_in_4bit


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
