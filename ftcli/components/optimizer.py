"""The optimizers of a recipe, and how each is built from parameter groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from ftcli.plans.training_plan import OptimizerSpec
from ftcli.registry import Choice

if TYPE_CHECKING:
    from torch.optim import Optimizer

Rate = Annotated[float, Field(gt=0, le=10)]
Decay = Annotated[float, Field(ge=0, lt=1)]


class AdamW(Choice):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    kind: Literal["adamw"] = "adamw"
    lr: Rate = 1e-3
    """The base LR: the head's, unless layer_lr says otherwise."""
    weight_decay: float = Field(default=1e-4, ge=0)
    """On weights only; never on biases and norms."""
    betas: tuple[Decay, Decay] = Field(default=(0.9, 0.999), strict=False)
    """Decay of the running averages of the gradient and its square."""
    eps: float = Field(default=1e-8, gt=0)
    """Added to the denominator."""


class SGD(Choice):
    """Stochastic gradient descent with Nesterov momentum."""

    kind: Literal["sgd"]
    lr: Rate = 1e-2
    """The base LR: the head's, unless layer_lr says otherwise."""
    weight_decay: float = Field(default=1e-4, ge=0)
    """On weights only; never on biases and norms."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Share of the last update kept."""
    nesterov: bool = True
    """Look ahead along the momentum; needs momentum above 0."""


def spec(options: AdamW | SGD) -> OptimizerSpec:
    """The options as a noun of the plan."""
    settings: dict[str, Any] = {}
    if isinstance(options, SGD):
        settings = {"momentum": options.momentum, "nesterov": options.nesterov and options.momentum > 0}
    else:
        settings = {"betas": options.betas, "eps": options.eps}
    return OptimizerSpec(options.kind, options.lr, options.weight_decay, settings)


def build(kind: str, groups: list[dict[str, Any]], settings: dict[str, Any]) -> Optimizer:
    """A torch optimizer over groups of {params, lr, weight_decay}; fused, one kernel for all tensors."""
    import torch

    optimizers = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
    return optimizers[kind](groups, fused=True, **settings)
