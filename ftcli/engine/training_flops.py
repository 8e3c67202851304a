"""What a training step computes, counted on a network without weights: nothing is run, and no machine decides it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ftcli.engine.inputs import blank
from ftcli.engine.network import Network
from ftcli.plans.tokenization import Tokenization

_EXAMPLES = 2
"""BatchNorm needs more than one."""


@dataclass(frozen=True)
class StepFlops:
    """Floating-point operations (a multiplication and an addition are two) of one example, normalisations left out."""

    forward: int
    backward: int


def step_flops(network: Network, trainable: frozenset[str], tokens: float | None = None) -> StepFlops:
    """`network` on the meta device; which of its parameters ask for gradients is changed. `tokens`: of a text.

    What lies below the first that trains has no backward pass, and a frozen layer above it passes on the gradient of
    its input alone.
    """
    for name, parameter in network.model.named_parameters():
        parameter.requires_grad_(name in trainable)
    inputs = _inputs(network, tokens)
    with _counter() as forward:
        logits = network.model(inputs)
    with _counter() as backward:
        if logits.requires_grad:
            logits.sum().backward()
    network.model.zero_grad()
    return StepFlops(forward.get_total_flops() // _EXAMPLES, backward.get_total_flops() // _EXAMPLES)


def _inputs(network: Network, tokens: float | None) -> Tensor:
    """Float images (B, 3, S, S), or tokens (B, L), on the meta device."""
    if isinstance(network.preprocessing, Tokenization):
        length = round(tokens or network.preprocessing.max_length)
        return blank(network.preprocessing, _EXAMPLES, "meta", tokens=max(length, 1))
    size = network.images.image_size
    return torch.zeros(_EXAMPLES, 3, size, size, device="meta")


def _counter() -> FlopCounterMode:
    return FlopCounterMode(
        display=False, custom_mapping={torch.ops.aten.convolution_backward: _convolution_backward}
    )


def _convolution_backward(
    grad_shape: Sequence[int], x_shape: Sequence[int], weight_shape: Sequence[int], *rest: Any, **shapes: Any
) -> int:
    """Each of the gradients, of input and weights, takes what the forward pass takes.

    torch's own formula counts the weights' gradient of a convolution in groups as many times too high as there are
    groups: for a depthwise one, hundreds of times.
    """
    _bias, _stride, _padding, _dilation, transposed, _output_padding, _groups, wanted = rest[:8]
    places = x_shape if transposed else grad_shape
    forward = 2 * x_shape[0] * prod(places[2:]) * prod(weight_shape)
    return forward * (bool(wanted[0]) + bool(wanted[1]))
