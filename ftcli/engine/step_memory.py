"""How much a training step keeps in memory for an image: counted tensor by tensor, on two images and on four."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ftcli.engine.freeze import apply_mask, enter_train_mode
from ftcli.engine.inputs import blank, ready
from ftcli.engine.network import Network
from ftcli.plans.estimate import StepMemory
from ftcli.plans.phase import Phase

_FEW, _MORE = 2, 4


def step_memory(network: Network, phase: Phase) -> StepMemory:
    """Of an image in a phase. The network is left as the phase has it; its BatchNorm statistics may have moved."""
    apply_mask(network.model, phase.mask)
    enter_train_mode(network, phase)
    few, more = (_of_batch(network, count) for count in (_FEW, _MORE))
    each = _MORE - _FEW
    return StepMemory((more.saved - few.saved) // each, (more.largest - few.largest) // each)


def _of_batch(network: Network, count: int) -> StepMemory:
    """Memory that several saved tensors share counts once; weights, which are there anyhow, do not count."""
    own = {_storage(tensor) for tensor in (*network.model.parameters(), *network.model.buffers())}
    saved: dict[int, Tensor] = {}
    outputs: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        if _storage(tensor) not in own:
            saved[_storage(tensor)] = tensor  # held, so that no other takes its place
        return tensor

    def measure(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            outputs.append(output.nbytes)

    batch = blank(network.preprocessing, count, next(network.model.parameters()).device)
    handles = [module.register_forward_hook(measure) for module in network.model.modules()]
    try:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            network.model(ready(batch, network.preprocessing))
    finally:
        for handle in handles:
            handle.remove()
    return StepMemory(sum(tensor.untyped_storage().nbytes() for tensor in saved.values()), max(outputs))


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
