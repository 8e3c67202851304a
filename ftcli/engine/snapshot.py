"""A model as it stands, to be put back bit for bit: tensors, gradients, what trains and in which mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def left_as_it_was(model: nn.Module, device: str) -> Iterator[None]:
    """Whatever is done meanwhile, the model and torch's random generators are as before afterwards."""
    tensors = _tensors(model)
    before = {name: tensor.detach().clone() for name, tensor in tensors.items()}
    parameters = [(p, p.requires_grad, p.grad) for p in model.parameters()]
    modes = [(module, module.training) for module in model.modules()]
    cuda = [torch.cuda.current_device()] if device == "cuda" else []
    try:
        with torch.random.fork_rng(devices=cuda):
            yield
    finally:
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(before[name])
        for parameter, requires_grad, grad in parameters:
            parameter.requires_grad_(requires_grad)
            parameter.grad = grad
        model.train()  # some attention keeps what it computed for evaluation, and forgets it so (LeViT)
        for module, training in modes:
            module.training = training


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """Those too that a state dict leaves out."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}
