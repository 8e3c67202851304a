"""Which device a run uses, what it can do, and how tensors get there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from ftcli.plans.training_plan import Machine

MAX_WORKERS = 8


def find_machine(device: Literal["auto", "cpu", "cuda"]) -> Machine:
    """What `device` means here. Whether CUDA may be asked for is the planner's to check."""
    if device == "cpu" or not torch.cuda.is_available():
        return Machine("cpu", bf16=cpu_has_bf16())
    return Machine("cuda", bf16=torch.cuda.is_bf16_supported(including_emulation=False))


CPU_INFO = Path("/proc/cpuinfo")


def cpu_has_bf16() -> bool:
    """Whether the processor multiplies in bf16 itself (AMX, AVX512-BF16): elsewhere it is emulated, and slower.

    torch's own questions are private and come and go; what Linux says of the processor stands in for them.
    """
    asked = [getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("amx_tile", "avx512_bf16")]
    if None not in asked:
        return any(has() for has in asked if has is not None)
    try:
        flags = CPU_INFO.read_text().split()
    except OSError:
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags


def num_workers(asked: int | Literal["auto"]) -> int:
    """Processes (or threads) that decode images."""
    if asked == "auto":
        return min(
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
            MAX_WORKERS,
        )
    return asked


KEEP_THEIR_INPUT = (nn.Hardtanh, nn.SiLU, nn.Hardswish, nn.Mish, nn.ELU)
"""Activations (ReLU6 is a Hardtanh) whose backward needs what came in. In place they copy it first, and then write over
it: the same memory, the same numbers, and a copy for nothing."""


def place(model: nn.Module, device: str) -> nn.Module:
    """On the device, convolutions in channels_last: faster on CPU and GPU alike.

    Those of adapters apart: PEFT's DoRA views their kernels as matrices, which torch refuses in channels_last.
    """
    for module in model.modules():
        if isinstance(module, KEEP_THEIR_INPUT):
            module.inplace = False
    model.to(device).to(memory_format=torch.channels_last)
    for name, parameter in model.named_parameters():
        if ".lora_" in name:
            parameter.data = parameter.data.contiguous()
    return model


def place_images(images_BCHW: Tensor, device: str) -> Tensor:
    """uint8 images on the device, channels_last; asynchronous from pinned memory."""
    return images_BCHW.to(device, non_blocking=True, memory_format=torch.channels_last)
