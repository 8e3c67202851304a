"""The optimizer of a phase: built from parameter names when the phase starts, its moments carried over by name."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ftcli.components import optimizer as components
from ftcli.plans.phase import Phase
from ftcli.plans.training_plan import OptimizerSpec

Moments = dict[str, dict[str, Tensor]]
"""Parameter name -> the optimizer's tensors for it (exp_avg, momentum_buffer, step ...)."""


def build_optimizer(model: nn.Module, phase: Phase, spec: OptimizerSpec) -> Optimizer:
    """Groups in the plan's order; every group carries the `names` of its parameters and its `peak_lr`."""
    parameters = dict(model.named_parameters())
    groups = [
        {
            "params": [parameters[name] for name in group.params],
            "names": group.params,
            "lr": spec.lr * group.lr_scale,
            "peak_lr": spec.lr * group.lr_scale,
            "weight_decay": group.weight_decay,
        }
        for group in phase.groups
    ]
    return components.build(spec.kind, groups, dict(spec.settings))


def set_lr(optimizer: Optimizer, factor: float) -> None:
    """LR = peak of the group x factor, a pure function of the position: nothing to save."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak_lr"] * factor


def moments(optimizer: Optimizer) -> Moments:
    """What the optimizer remembers, by parameter name; plain numbers become tensors."""
    return {
        name: {
            key: torch.as_tensor(value)
            for key, value in optimizer.state[parameter].items()
            if value is not None
        }
        for group in optimizer.param_groups
        for name, parameter in zip(group["names"], group["params"], strict=True)
        if parameter in optimizer.state
    }


def restore_moments(optimizer: Optimizer, remembered: Moments) -> None:
    """Give back what is remembered of the parameters that train now; the others start afresh."""
    for group in optimizer.param_groups:
        for name, parameter in zip(group["names"], group["params"], strict=True):
            if name in remembered:
                state = remembered[name]
                optimizer.state[parameter] = {key: _laid_out_as(parameter, state[key]) for key in state}


def _laid_out_as(parameter: Tensor, value: Tensor) -> Tensor:
    """A copy with the parameter's device and strides: fused kernels walk both in the order of memory.

    A count of steps has the device alone: a fused kernel reads and writes it there.
    """
    if value.shape != parameter.shape:
        return value.to(parameter.device, copy=True)
    return torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)
