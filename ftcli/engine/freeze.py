"""Makes the network do what a phase says: the one place that sets requires_grad and train or eval mode."""

from __future__ import annotations

from torch import nn

from ftcli.engine.network import Network
from ftcli.plans.freeze_mask import FreezeMask
from ftcli.plans.phase import Phase


def apply_mask(model: nn.Module, mask: FreezeMask) -> None:
    """requires_grad for the names in the mask, not for any other; gradients of frozen ones are dropped."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in mask)
        if name not in mask:
            parameter.grad = None


def enter_train_mode(network: Network, phase: Phase) -> None:
    """Train mode for the layers that train, eval for the rest, then the BatchNorm policy.

    Called at the start of every epoch, since evaluation puts everything into eval mode. A frozen layer is a
    fixed function of its input: its BatchNorm statistics stay, its dropout and drop-path are off.
    """
    network.model.train()
    batch_norms = {mode.name: mode.updates_stats for mode in phase.batch_norms}
    training = {
        name
        for name, layer in network.module_layers.items()
        if batch_norms.get(name, layer in phase.train_layers)
    }
    containers = {ancestor for name in training for ancestor in _ancestors(name)}
    for name, module in network.model.named_modules():
        module.training = name in training or (name in containers and name not in batch_norms)


def enter_eval_mode(network: Network) -> None:
    """By way of train mode: where some attention forgets the biases that it kept for evaluation (LeViT)."""
    network.model.train()
    network.model.eval()


def _ancestors(name: str) -> list[str]:
    """The modules around one, the root ("") included: some act in train mode themselves (attention dropout)."""
    parts = name.split(".")
    return [".".join(parts[:depth]) for depth in range(len(parts))]
