"""A batch as a network takes it, of images or of texts; and batches without content, to measure with."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import torch
from torch import Tensor

from ftcli.engine.images import ImageStore, center_crop, normalise
from ftcli.engine.packing import PackedStore
from ftcli.engine.placement import place_images
from ftcli.engine.texts import TextStore
from ftcli.engine.tokenizer import padded
from ftcli.errors import DataError
from ftcli.plans.inputs import Inputs
from ftcli.plans.tokenization import Tokenization

ExampleStore = ImageStore | TextStore | PackedStore
"""Examples by index, as they were read."""
BLANK_TOKENS = 32


def placed(batch: Tensor, inputs: Inputs, device: str) -> Tensor:
    """On the device, as its kernels like it; asynchronous from pinned memory."""
    if isinstance(inputs, Tokenization):
        return batch.to(device, non_blocking=True)
    return place_images(batch, device)


def ready(batch: Tensor, inputs: Inputs) -> Tensor:
    """What the network takes: uint8 images (B, 3, S, S) normalised; tokens (B, L) as they are."""
    return batch if isinstance(inputs, Tokenization) else normalise(batch, inputs)


def evaluated(store: ExampleStore, indices: Sequence[int]) -> Tensor | None:
    """Some examples as evaluation sees them; images that cannot be read are passed over, None where all are."""
    if not isinstance(store, ImageStore):
        return padded([store[index] for index in indices], store.preprocessing)
    images = []
    for index in indices:
        with suppress(DataError):
            images.append(center_crop(store[index], store.preprocessing.image_size))
    return torch.stack(images) if images else None


def blank(
    inputs: Inputs, count: int, device: torch.device | str = "cpu", tokens: int = BLANK_TOKENS
) -> Tensor:
    """Black images (count, 3, S, S) uint8, or texts of the same token (count, L) int32; L is at most `tokens`."""
    shape, dtype = _shape(inputs, tokens)
    return torch.zeros((count, *shape), dtype=dtype, device=device)


def noise(inputs: Inputs, count: int) -> Tensor:
    """Pixels or tokens by chance, always the same ones; shaped as `blank`."""
    shape, dtype = _shape(inputs)
    most = inputs.vocabulary if isinstance(inputs, Tokenization) else 256
    return torch.randint(most, (count, *shape), dtype=dtype, generator=torch.Generator().manual_seed(0))


def _shape(inputs: Inputs, tokens: int = BLANK_TOKENS) -> tuple[tuple[int, ...], torch.dtype]:
    if isinstance(inputs, Tokenization):
        return (inputs.max_length if inputs.packed else min(inputs.max_length, tokens),), torch.int32
    return (3, inputs.image_size, inputs.image_size), torch.uint8
