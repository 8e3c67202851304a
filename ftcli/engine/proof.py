"""Proof that what a plan froze has not moved: a digest of every frozen tensor before a phase and after it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ftcli.engine.stopwatch import span

Digests = dict[str, str]


def digests(model: nn.Module, names: Iterable[str]) -> Digests:
    """Tensor name -> SHA-256 of its bytes: equal exactly when every bit is."""
    tensors = {**dict(model.named_parameters(remove_duplicate=False)), **dict(model.named_buffers())}
    with span("proof"):
        return {name: digest(tensors[name]) for name in names}


def digest(tensor: Tensor) -> str:
    raw = tensor.detach().to("cpu").contiguous().flatten().view(torch.uint8)
    return hashlib.sha256(raw.numpy().data).hexdigest()


def changed(before: Digests, after: Digests) -> tuple[str, ...]:
    """The names whose bits differ."""
    return tuple(name for name, value in before.items() if after[name] != value)
