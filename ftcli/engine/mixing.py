"""Mixup and cutmix: each batch mixed with itself, as a function of (seed, epoch, batch)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ftcli.engine.batches import Batch
from ftcli.engine.seed import seeded

Mix = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""A transform of torchvision: images (B, 3, S, S) and labels (B,) -> images and shares of the classes (B, C)."""


def mixed(batches: Iterator[Batch], mix: Mix, seed: int, epoch: int, first: int = 0) -> Iterator[Batch]:
    """The batches, from number `first` on, with images blended or pasted, still uint8, and labels as shares (B, C)."""
    for number, batch in enumerate(batches, first):
        with seeded(seed, "mix", epoch, number):
            images, shares = mix(batch.inputs.float(), batch.labels)
        yield replace(batch, inputs=images.round_().to(torch.uint8), labels=shares)


def mixing_of(
    mix: Any, batches: Callable[[int, int], Iterator[Batch]], seed: int
) -> Callable[[int, int], Iterator[Batch]]:
    """Epoch and first batch -> the batches from there on, mixed where `mix` is not None."""
    if mix is None:
        return batches
    return lambda epoch, first: mixed(batches(epoch, first), mix, seed, epoch, first)
