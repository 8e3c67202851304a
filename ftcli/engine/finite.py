"""Whether tensors hold NaN or infinity: all of them asked at once, by name only where there is one."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ftcli.errors import NonFiniteError

REMEDY = "lower optimizer.lr or lengthen schedule.warmup; in fp16 or bf16 try train.precision: fp32"


def first_non_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """The first name, in the mapping's order, whose tensor holds NaN or infinity; None where there is none."""
    floating = [
        tensor.detach() for tensor in tensors.values() if tensor.is_floating_point() and tensor.numel()
    ]
    if all_finite(floating):
        return None
    return next((name for name, tensor in tensors.items() if not bool(tensor.isfinite().all())), None)


def all_finite(tensors: list[Tensor]) -> bool:
    """By their norms, of which each device is asked once. A norm that overflows is looked at again by name."""
    if not tensors:
        return True
    norms = torch._foreach_norm(tensors)
    return bool(torch.stack([norm.to(norms[0].device, torch.float32) for norm in norms]).isfinite().all())


def refuse_non_finite(state: Mapping[str, Tensor], kind: str) -> None:
    """Raises NonFiniteError that names the first tensor of `state` which is not all numbers."""
    name = first_non_finite(state)
    if name is not None:
        raise NonFiniteError(f"the {kind} {name} is not finite", where=name, remedy=REMEDY)


def refuse_non_finite_model(model: nn.Module, *, moved: bool = False) -> None:
    """Weights first, for what they make of images is what buffers are made of. `moved`: only those that train."""
    weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad or not moved}
    refuse_non_finite(weights, "weight")
    refuse_non_finite(dict(model.named_buffers()), "buffer")
