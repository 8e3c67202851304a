"""Randomness as a function of (seed, purpose, epoch, example): nothing to save, the same with any number of workers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derive(seed: int, *parts: str | int) -> int:
    """A 63-bit seed for one purpose, independent of every other one's."""
    text = ":".join(str(part) for part in (seed, *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def seed_step(seed: int, device: str, *parts: str | int) -> None:
    """The generators that dropout and its like draw from in a step, as torch.manual_seed would set them.

    That one asks after every kind of device, which takes a third of a millisecond where there is none.
    """
    derived = derive(seed, *parts)
    torch.default_generator.manual_seed(derived)
    if device == "cuda":
        torch.cuda.manual_seed_all(derived)


def permutation(seed: int, epoch: int, count: int) -> list[int]:
    """The order of examples in an epoch."""
    generator = torch.Generator().manual_seed(derive(seed, "order", epoch))
    order: list[int] = torch.randperm(count, generator=generator).tolist()
    return order


@contextmanager
def seeded(seed: int, *parts: str | int) -> Iterator[None]:
    """torch's CPU generator at a derived seed; the caller's state comes back afterwards."""
    state = torch.get_rng_state()
    torch.default_generator.manual_seed(derive(seed, *parts))
    try:
        yield
    finally:
        torch.set_rng_state(state)
