"""Autocast and loss scaling for the precision that the plan names."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch.amp.grad_scaler import GradScaler

from ftcli.plans.training_plan import Precision

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(precision: Precision, device: str) -> AbstractContextManager[object]:
    """Matrix products and convolutions in the low precision; weights, sums and the loss stay fp32."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device, dtype=DTYPES[precision])


def loss_scaler(precision: Precision, device: str) -> GradScaler:
    """Scales the loss for fp16, whose small gradients would vanish; does nothing otherwise."""
    return GradScaler(device, enabled=precision == "fp16")
