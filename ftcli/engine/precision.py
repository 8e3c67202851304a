"""Autocast and loss scaling for the precision that the plan names; and what bf16 would do to a network's features."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.inputs import placed, ready
from ftcli.engine.network import Network
from ftcli.plans.training_plan import Bf16Effect, Precision

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(
    precision: Precision, device: str, *, keep_weights: bool = True
) -> AbstractContextManager[object]:
    """Matrix products and convolutions in the low precision; weights, sums and the loss stay fp32.

    `keep_weights`: a weight that is used more than once is rounded once.
    """
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device, dtype=DTYPES[precision], cache_enabled=keep_weights)


def loss_scaler(precision: Precision, device: str) -> GradScaler:
    """Scales the loss for fp16, whose small gradients would vanish; does nothing otherwise."""
    return GradScaler(device, enabled=precision == "fp16")


@torch.no_grad()
def effect_of_bf16(network: Network, images_BCHW: Tensor, device: str, at_once: int) -> Bf16Effect:
    """Both ways through the network in eval mode with the weights it has; its modes are as before afterwards.

    Images are uint8 (B, 3, S, S), of which `at_once` go through together. The features are compared and not the
    logits, for the head is new and random.
    """
    training = {module: module.training for module in network.model.modules()}
    enter_eval_mode(network)
    parts = images_BCHW.split(at_once)
    exact, low = (
        torch.cat([_features(network, part, precision, device) for part in parts])
        for precision in ("fp32", "bf16")
    )
    for module, mode in training.items():
        module.training = mode
    error = ((low - exact).norm() / exact.norm()).item()
    return Bf16Effect(error, len(images_BCHW), bool(exact.isfinite().all()))


def _features(network: Network, images_BCHW: Tensor, precision: Precision, device: str) -> Tensor:
    """What enters the heads, in one long double vector."""
    images = ready(placed(images_BCHW, network.preprocessing, device), network.preprocessing)
    seen: list[Tensor] = []

    def capture(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        seen.append(arguments[0].double().flatten())

    handles = [network.model.get_submodule(path).register_forward_pre_hook(capture) for path in network.heads]
    try:
        with autocast(precision, device):
            network.model(images)
    finally:
        for handle in handles:
            handle.remove()
    return torch.cat(seen)
