"""Arithmetic on CUDA that is what it is called: fp32 without shortcuts; the same bits again where that is asked for.

On a CPU nothing is to be done: every kernel that is used adds in the same order.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch

from ftcli.events import Listener, Noticed
from ftcli.findings import Finding

WORKSPACE, TWO_BUFFERS = "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
"""cuBLAS keeps to one order of adding only with a workspace of fixed size, which is read when it is first used."""
_UNFIT = "does not have a deterministic implementation"
"""What torch warns of."""


@contextmanager
def arithmetic(device: str, tell: Listener, *, repeatable: bool) -> Iterator[None]:
    """What a run computes with on `device`; `repeatable`: with the same bits each time."""
    with plain_fp32(device), deterministic(device, tell) if repeatable else nullcontext():
        yield


@contextmanager
def deterministic(device: str, tell: Listener) -> Iterator[None]:
    """Work on `device` with torch's deterministic algorithms. An operator that has none is told once, and runs.

    Source: "Reproducibility" in the documentation of PyTorch.
    """
    if device != "cuda":
        yield
        return
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    tuned = torch.backends.cudnn.benchmark
    os.environ.setdefault(WORKSPACE, TWO_BUFFERS)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    try:
        with _told(tell):
            yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.backends.cudnn.benchmark = tuned


@contextmanager
def plain_fp32(device: str) -> Iterator[None]:
    """Work in which fp32 is fp32: by its defaults cuDNN convolves in TF32, of 10 bits of mantissa, and says nothing."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    if device == "cuda":
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        if device == "cuda":
            torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


@contextmanager
def _told(tell: Listener) -> Iterator[None]:
    """torch's warnings of operators that have no deterministic kernel become findings, each once."""
    seen: set[str] = set()
    with warnings.catch_warnings():
        warnings.filterwarnings("always", message=f".*{_UNFIT}")
        show = warnings.showwarning

        def listen(message: Warning | str, *rest: Any, **options: Any) -> None:
            operator, unfit, _ = str(message).partition(_UNFIT)
            if not unfit:
                show(message, *rest, **options)
            elif operator not in seen:
                seen.add(operator)
                tell(Noticed(_not_deterministic(operator.strip())))

        warnings.showwarning = listen
        yield


def _not_deterministic(operator: str) -> Finding:
    what = f"{operator} has no deterministic kernel on CUDA: a run repeated may differ in its last bits"
    remedy = "train on the CPU where bits count (runtime.device: cpu), or take another backbone"
    return Finding("warning", "runtime.deterministic", what, remedy, "not-deterministic")
