"""What tests of a network cut in two have in common: where to cut, what is frozen then, and the gradients above."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.network import Network


def forward_of(network: Network) -> Callable[[Tensor], Tensor]:
    """uint8 images (B, 3, S, S) -> logits (B, C)."""
    return lambda images_BCHW: network.model(images_BCHW.float().sub(128).div(64))


def some_images(network: Network, count: int = 4, seed: int = 0) -> Tensor:
    side = network.preprocessing.image_size
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, side, side), generator=generator, dtype=torch.uint8)


def boundaries(network: Network) -> tuple[int, int, int]:
    """Before the head, before the last stage, and in the middle."""
    layers = network.layer_map.layers
    last_stage = min(layer.index for layer in layers if layer.stage == layers[-2].stage)
    return layers[-1].index, last_stage, max(1, layers[-1].index // 2)


def freeze_below(network: Network, boundary: int) -> None:
    """Train mode above the boundary; below it eval mode, and no gradients."""
    enter_eval_mode(network)
    for name, parameter in network.model.named_parameters():
        parameter.requires_grad_(network.layer_map.by_name[name].layer >= boundary)
    for name, module in network.model.named_modules():
        if network.module_layers.get(name, boundary) >= boundary:
            module.training = True


def gradients(network: Network, forward: Callable[[Tensor], Tensor], inputs: Tensor) -> dict[str, Tensor]:
    """By parameter, with the same dropout whenever it is called."""
    network.model.zero_grad(set_to_none=True)
    torch.manual_seed(0)
    forward(inputs).square().sum().backward()
    return {name: p.grad.clone() for name, p in network.model.named_parameters() if p.grad is not None}
