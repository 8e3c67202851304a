"""The four facts, read off a living model and its optimizer. Nothing is changed: what is tried is put back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parameter import UninitializedParameter

from ftcli.components.backbone import is_below
from ftcli.engine.any_model import MappedModel, map_any
from ftcli.errors import ModelError
from ftcli.plans.freeze_facts import DropoutFacts, FreezeFacts, NormFacts, ParameterFacts
from ftcli.plans.layer_map import HEAD, BatchNorm, Parameter

NOW = "now"
"""The name of the one phase of a living model."""
_SAMPLE = 65_536
_ROUNDED = (torch.bfloat16, torch.float16)
_SMALL_LR = 1e-7
"""Below it a step may be lost to the rounding of float32 as well."""
_DROPPING = ("StochasticDepth", "MultiheadAttention", "LSTM", "GRU", "RNN")
_DROP_RATES = ("p", "drop_prob", "dropout")


class HasGroups(Protocol):
    """An optimizer, or what a trainer wraps around one."""

    @property
    def param_groups(self) -> list[dict[str, Any]]: ...


def live_facts(
    model: nn.Module, optimizers: Sequence[HasGroups], mapped: MappedModel | None = None
) -> FreezeFacts:
    """Facts of the model as it stands. Groups are counted through all optimizers, in their order.

    Raises ModelError for a lazy layer that has no shape yet.
    """
    _refuse_lazy(model)
    mapped = mapped or map_any(model)
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    held = _Held.of(groups)
    tensors, names = dict(mapped.model.named_parameters()), _names(mapped.model)
    stepwise = bool(optimizers) and all(type(optimizer).__name__ == "SGD" for optimizer in optimizers)
    return FreezeFacts(
        phase=NOW,
        layers=mapped.layer_map.layers,
        parameters=tuple(
            _parameter(p, tensors[p.name], mapped, names, held, stepwise) for p in mapped.layer_map.parameters
        ),
        batch_norms=tuple(_batch_norms(model, mapped)),
        dropouts=tuple(_dropouts(model, mapped)),
        optimizer=", ".join(type(optimizer).__name__ for optimizer in optimizers) or None,
        num_groups=len(groups),
        optimizer_of_group=_owners(optimizers),
        strangers=tuple(_strangers(groups, model)),
        shared=tuple(_shared(tensors, mapped.prefix)),
        tied_to_head=tuple(_tied_to_head(mapped, names)),
        head_outputs=_head_outputs(mapped),
    )


@dataclass(frozen=True)
class _Held:
    """For each tensor (by identity) the groups that hold it."""

    numbers: Mapping[int, list[int]]
    groups: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, groups: Sequence[Mapping[str, Any]]) -> _Held:
        numbers: dict[int, list[int]] = defaultdict(list)
        for number, group in enumerate(groups):
            for tensor in group["params"]:
                numbers[id(tensor)].append(number)
        return cls(numbers, groups)

    def highest(self, tensor: Tensor, setting: str) -> float | None:
        """The highest value of a setting over the tensor's groups; None where it has none."""
        values = (self.groups[number].get(setting) for number in self.numbers.get(id(tensor), ()))
        return max((float(value) for value in values if value is not None), default=None)


def _parameter(
    p: Parameter,
    tensor: nn.Parameter,
    mapped: MappedModel,
    names: Mapping[int, list[str]],
    held: _Held,
    stepwise: bool,
) -> ParameterFacts:
    lr = held.highest(tensor, "lr")
    return ParameterFacts(
        name=mapped.prefix + p.name,
        shape=p.shape,
        layer=p.layer,
        stage=p.stage,
        is_norm=p.is_norm,
        is_adapter=p.is_adapter,
        trains=tensor.requires_grad,
        groups=tuple(held.numbers.get(id(tensor), ())),
        lr=lr,
        weight_decay=held.highest(tensor, "weight_decay"),
        dtype=str(tensor.dtype).removeprefix("torch."),
        other_names=tuple(mapped.prefix + name for name in names[id(tensor)] if name != p.name),
        has_gradient=tensor.grad is not None,
        stuck_share=_stuck_share(tensor, lr, stepwise) if lr and tensor.requires_grad else None,
        later_lr=held.highest(tensor, "initial_lr"),
    )


def _names(model: nn.Module) -> dict[int, list[str]]:
    """All names of each tensor, by identity: a tied one has several."""
    names: dict[int, list[str]] = defaultdict(list)
    for name, tensor in model.named_parameters(remove_duplicate=False):
        names[id(tensor)].append(name)
    return names


def _stuck_share(tensor: Tensor, lr: float, stepwise: bool) -> float | None:
    """Of the first values, those that neither a step up nor one down changes.

    Adam's kind of optimizer moves every value by about the LR, whatever the gradient's size. SGD moves it by the
    LR times the gradient; without one at hand, by what a gradient of 1 would give.
    """
    if tensor.is_meta or (tensor.dtype not in _ROUNDED and lr > _SMALL_LR):
        return None
    values = tensor.detach().flatten()[:_SAMPLE]
    gradient = tensor.grad.detach().flatten()[:_SAMPLE] if stepwise and tensor.grad is not None else None
    step: Any = lr if gradient is None else lr * gradient.to(values.dtype)
    stuck = (values + step == values) & (values - step == values)
    return float(stuck.float().mean()) if len(values) else None


def _batch_norms(model: nn.Module, mapped: MappedModel) -> Iterator[NormFacts]:
    modes = {id(module): module.training for module in model.modules()}
    after = _after_train_call(model)
    for norm in mapped.layer_map.batch_norms:
        module = mapped.model.get_submodule(norm.name)
        tracks = isinstance(module, _BatchNorm) and module.running_mean is not None and module.momentum != 0
        yield NormFacts(
            mapped.prefix + norm.name,
            norm.layer,
            norm.stage,
            updates_stats=tracks and modes[id(module)],
            trains_affine=_affine_trains(mapped.model, norm),
            train_call_resets=tracks and not modes[id(module)] and after[id(module)],
        )


def _affine_trains(model: nn.Module, norm: BatchNorm) -> bool:
    return any(model.get_parameter(name).requires_grad for name in norm.params)


def _after_train_call(model: nn.Module) -> dict[int, bool]:
    """Calls `model.train()`, which may be the user's own, and puts every flag back."""
    modes = [(module, module.training) for module in model.modules()]
    trainable = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    try:
        model.train()
        return {id(module): module.training for module in model.modules()}
    finally:
        for module, mode in modes:
            module.training = mode
        for parameter, trains in trainable:
            parameter.requires_grad_(trains)


def _dropouts(model: nn.Module, mapped: MappedModel) -> Iterator[DropoutFacts]:
    names = {layer.index: layer.stage for layer in mapped.layer_map.layers}
    for path, module in mapped.model.named_modules():
        rate = _drop_rate(module)
        layer = mapped.module_layers.get(path)
        if rate and layer is not None:
            yield DropoutFacts(mapped.prefix + path, layer, names[layer], rate, module.training)


def _drop_rate(module: nn.Module) -> float:
    """The rate of a dropout, drop-path, stochastic depth, or attention with dropout of its own; else 0."""
    kind = type(module).__name__
    drops = "Dropout" in kind or kind in _DROPPING or kind.endswith("DropPath")
    rates = (getattr(module, name, None) for name in _DROP_RATES) if drops else ()
    return next((float(rate) for rate in rates if isinstance(rate, (int, float))), 0.0)


def _owners(optimizers: Sequence[HasGroups]) -> tuple[int, ...]:
    """Of every group, the number of its optimizer; nothing where there is one."""
    if len(optimizers) < 2:
        return ()
    return tuple(number for number, one in enumerate(optimizers) for _ in one.param_groups)


def _tied_to_head(mapped: MappedModel, names: Mapping[int, list[str]]) -> Iterator[str]:
    for listed in names.values():
        if not is_below(listed[0], mapped.heads) and any(is_below(n, mapped.heads) for n in listed[1:]):
            yield mapped.prefix + listed[0]


def _strangers(groups: Sequence[Mapping[str, Any]], model: nn.Module) -> Iterator[str]:
    known = {id(parameter) for parameter in model.parameters()}
    for number, group in enumerate(groups):
        for tensor in group["params"]:
            if id(tensor) not in known:
                yield f"a tensor of {tuple(tensor.shape)} in group {number}"


def _shared(tensors: Mapping[str, Tensor], prefix: str) -> Iterator[tuple[str, ...]]:
    """Different parameters that begin at the same place in memory."""
    places: dict[tuple[torch.device, int], list[str]] = defaultdict(list)
    for name, tensor in tensors.items():
        if not tensor.is_meta and tensor.numel():
            places[tensor.device, tensor.data_ptr()].append(prefix + name)
    return (tuple(names) for names in places.values() if len(names) > 1)


def _head_outputs(mapped: MappedModel) -> int | None:
    """Rows of the last weight in the head."""
    shapes = [p.shape for p in mapped.layer_map.parameters if p.stage == HEAD and len(p.shape) > 1]
    return shapes[-1][0] if shapes else None


def _refuse_lazy(model: nn.Module) -> None:
    lazy = [name for name, p in model.named_parameters() if isinstance(p, UninitializedParameter)]
    if lazy:
        what = f"{len(lazy)} parameters have no shape yet (lazy layers)"
        raise ModelError(what, where=lazy[0], remedy="run one batch through the model first")
