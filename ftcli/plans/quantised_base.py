"""What became of the frozen weights that are kept in 4 bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Quantize = Literal["nf4"]
BLOCK = 64
"""Weights that share a scale."""
SCALES = "nf4_absmax"
"""What the buffer is called that keeps them, beside the weights."""


def is_scale(buffer: str) -> bool:
    """By its whole name."""
    return buffer.rpartition(".")[2] == SCALES


@dataclass(frozen=True)
class QuantisedBase:
    """`before` and `after` in bytes: all parameters and buffers of the backbone, adapters left out."""

    layers: int
    weights: int
    """How many numbers are rounded."""
    before: int
    after: int
