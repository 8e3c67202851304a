"""What a training is likely to take: parameters, memory, time, disk."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class StepMemory:
    """Bytes for an image in fp32: `saved` for the backward pass; `largest`, the greatest output of a module."""

    saved: int
    largest: int


@dataclass(frozen=True)
class Memory:
    """Bytes of a training step in fp32, in the phase that needs most, beside Python, its libraries and the images.

    weights: 4 bytes for every parameter and buffer. gradients: 4 for every parameter that trains. optimizer: 8
    for each of them with AdamW, 4 with SGD's momentum. activations: what a batch leaves for the backward pass,
    counted tensor by tensor. working: twice a batch of the largest activation, for those that come and go.
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int
    working: int

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimizer + self.activations + self.working


@dataclass(frozen=True)
class Estimate:
    """Of a whole run. `seconds` is None where nothing could be timed; `trainable` counts the widest phase."""

    trainable: int
    parameters: int
    memory: Memory
    seconds: float | None
    """The epochs, and what the frozen part makes of every image, once; without reading images and the probe."""
    reading_seconds: float | None
    """To decode every image once, where that was timed."""
    pixel_bytes: int
    """On disk, for the next run too: every image decoded and resized."""
    feature_bytes: int
    """On disk: what the frozen parts make of every image and view."""
    device: str

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "memory": {**asdict(self.memory), "total": self.memory.total}}
