"""The frozen linear layers of a backbone in 4 bits (QLoRA, Dettmers et al. 2023), by the bitsandbytes library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ftcli.components.backbone import is_below, quietly
from ftcli.engine.network import Network
from ftcli.engine.peft_targets import called
from ftcli.errors import ModelError, Problem, RecipeError
from ftcli.plans.quantised_base import BLOCK, SCALES, QuantisedBase

QUANTIZE = "strategy.quantize"


def quantise(network: Network) -> QuantisedBase:
    """The model's linear layers below the head keep 4 bits a weight from now on; what they are named stays.

    Each is rounded where its weights are, on the CPU: the same weights give the same bits for every device. Left as
    they are: tied weights, those that are read past their module, what the architecture says must stay in fp32, and
    rows that are not made of whole blocks: bitsandbytes 0.50 unpacks those of 32 or 96 weights wrong on processors that
    have AVX512, by half of them.
    Raises RecipeError where there is no such layer, ModelError where bitsandbytes is missing.
    """
    names = _to_quantise(network)
    if not names:
        raise RecipeError(_nothing_to_quantise(network))
    kind, before = _linear4bit(), _bytes(network)
    modules = {name: network.model.get_submodule(name) for name in names}
    for name, module in modules.items():
        network.model.set_submodule(name, kind(module))
    weights = sum(module.in_features * module.out_features for module in modules.values())  # type: ignore[operator, misc]
    return QuantisedBase(len(names), int(weights), before, _bytes(network))


def must_compute(model: nn.Module) -> None:
    """Raises ModelError where bitsandbytes cannot compute on the device that the model is on."""
    for module in packed_layers(model).values():
        device = module.weight.device
        try:
            module(torch.zeros(2, module.in_features, device=device))
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, NotImplementedError) as error:
            what = f"bitsandbytes cannot compute on {device}: {str(error).partition(chr(10))[0]}"
            remedy = "look at `python -m bitsandbytes`, or leave strategy.quantize out"
            raise ModelError(what, where=QUANTIZE, remedy=remedy) from error
        return


def packed_layers(model: nn.Module) -> dict[str, Any]:
    """The layers in 4 bits, by name; known by their type's name, as bitsandbytes may not be there."""
    return {name: m for name, m in model.named_modules() if type(m).__name__ == "FrozenLinear4bit"}


class FullWeights(Mapping[str, Tensor]):
    """A state dict with all weights as the network computes with them: those in 4 bits are unpacked when asked for."""

    def __init__(self, model: nn.Module) -> None:
        self._packed = {f"{name}.weight": module for name, module in packed_layers(model).items()}
        scales = {f"{name.removesuffix('weight')}{SCALES}" for name in self._packed}
        self._state = {name: tensor for name, tensor in model.state_dict().items() if name not in scales}

    def __getitem__(self, name: str) -> Tensor:
        if name in self._packed:
            found: Tensor = self._packed[name].full_weight()
            return found
        return self._state[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._state)

    def __len__(self) -> int:
        return len(self._state)


def _linear4bit() -> Any:
    try:
        with quietly():
            from ftcli.engine.linear4bit import FrozenLinear4bit
    except ModuleNotFoundError as error:
        what = f"a base in 4 bits needs the package bitsandbytes: {error}"
        raise ModelError(what, where=QUANTIZE, remedy="pip install 'ftcli[qlora]'") from error
    except (ImportError, OSError, RuntimeError) as error:  # its binary may not suit the machine
        what = f"bitsandbytes, which a base in 4 bits needs, cannot be loaded: {error}"
        remedy = "pip install --force-reinstall bitsandbytes, and look at `python -m bitsandbytes`"
        raise ModelError(what, where=QUANTIZE, remedy=remedy) from error
    return FrozenLinear4bit


def _to_quantise(network: Network) -> list[str]:
    """Names of linear layers, of that type and of none that is derived from it: others use their weights otherwise."""
    names_of = Counter(id(p) for _, p in network.model.named_parameters(remove_duplicate=False))
    kept = _kept_in_fp32(network.model)
    return [
        name
        for name in called(network)
        if type(module := network.model.get_submodule(name)) is nn.Linear
        and module.in_features % BLOCK == 0
        and not is_below(name, network.head_modules)
        and names_of[id(module.weight)] == 1
        and not any(f".{path}." in f".{name}." for path in kept)
    ]


def _kept_in_fp32(model: nn.Module) -> set[str]:
    """Parts of modules' names: transformers' declarations for weights that 16 bits are too few for already."""
    fields = ("_keep_in_fp32_modules", "_keep_in_fp32_modules_strict")
    said = (getattr(module, field, None) for module in model.modules() for field in fields)
    return {path.removesuffix(".weight") for paths in said for path in paths or ()}


def _nothing_to_quantise(network: Network) -> Problem:
    below = [name for name in called(network) if not is_below(name, network.head_modules)]
    types = Counter(type(network.model.get_submodule(name)).__name__ for name in below)
    there = ", ".join(f"{count} {kind}" for kind, count in types.most_common())
    what = (
        f"{network.backbone} has no linear layer of a multiple of {BLOCK} inputs below its head, to keep in 4 bits: "
        f"it has {there}"
    )
    return Problem(QUANTIZE, what, "leave strategy.quantize out")


def _bytes(network: Network) -> int:
    """Of the backbone, tensors that have several names once."""
    model, heads = network.model, network.head_modules
    tensors = (*model.named_parameters(), *model.named_buffers())
    return sum(tensor.nbytes for name, tensor in tensors if not is_below(name, heads))
