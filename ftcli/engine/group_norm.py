"""GroupNorm in the place of BatchNorm: the same names of tensors, no running statistics (Wu and He, 2018)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

MOST_GROUPS = 32
LEAST_CHANNELS = 2
"""In a group. One channel alone would be instance normalisation."""


class GroupNormAct(nn.GroupNorm):
    """A GroupNorm that also does what timm's BatchNorm does after normalising: dropout and activation."""

    drop: nn.Module
    act: nn.Module

    def forward(self, input: Tensor) -> Tensor:
        output: Tensor = self.act(self.drop(super().forward(input)))
        return output


def replace_batch_norm(model: nn.Module) -> int:
    """Put a GroupNorm where each BatchNorm is, with its gamma and beta; returns how many there were.

    The pretrained statistics are lost. A BatchNorm in several places is replaced by one GroupNorm.
    """
    replaced: dict[_BatchNorm, nn.GroupNorm] = {}
    for name, module in list(model.named_modules(remove_duplicate=False)):
        if isinstance(module, _BatchNorm):
            if module not in replaced:
                replaced[module] = _group_norm(module)
            model.set_submodule(name, replaced[module])
    return len(replaced)


def num_groups(num_channels: int) -> int:
    """The most groups of equal size, up to 32, that leave each at least two channels."""
    most = max(1, min(MOST_GROUPS, num_channels // LEAST_CHANNELS))
    return next(groups for groups in range(most, 0, -1) if num_channels % groups == 0)


def _group_norm(norm: _BatchNorm) -> nn.GroupNorm:
    acts = hasattr(norm, "act")
    tensor = norm.weight if norm.affine else norm.running_mean
    made = (GroupNormAct if acts else nn.GroupNorm)(
        num_groups(norm.num_features),
        norm.num_features,
        eps=norm.eps,
        affine=norm.affine,
        device=None if tensor is None else tensor.device,
        dtype=None if tensor is None else tensor.dtype,
    )
    made.train(norm.training)
    if acts:
        made.drop, made.act = norm.drop, norm.act
    if norm.affine and not made.weight.is_meta:
        with torch.no_grad():
            made.weight.copy_(norm.weight)
            made.bias.copy_(norm.bias)
    return made
