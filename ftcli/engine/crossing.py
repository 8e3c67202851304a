"""What crosses a cut, packed into one tensor that can be kept by example, and unpacked again."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from ftcli.engine.expected import Expected
from ftcli.engine.frozen_calls import Recording
from ftcli.plans.tokenization import PAD


def packed(recording: Recording, parts: Sequence[Tensor], inputs: Tensor) -> Tensor:
    """One tensor with a row per image: several parts lie side by side, flat.

    Of texts (B, L, D + 1): a row per token, the last number of which is 1, and 0 behind the end of a text.
    """
    if not recording.of_texts:
        return parts[0] if len(parts) == 1 else torch.cat([part.flatten(1) for part in parts], dim=1)
    is_text = (inputs != PAD).to(parts[0].device).unsqueeze(2)
    flat = [part.flatten(2) for part in parts]
    return torch.cat([*flat, is_text.to(flat[0].dtype)], dim=2)


def input_of(recording: Recording, kept: Tensor) -> Tensor:
    """What stands for the network's input where all that is made of it below the cut is known.

    Of texts the length is: what lies above must know which tokens there are.
    """
    if not recording.of_texts:
        return recording.input.placeholder(len(kept))
    return torch.where(kept[:, :, -1] > 0, 0, PAD).to(torch.int32)


def unpacked(recording: Recording, kept: Tensor) -> list[Tensor]:
    """The parts again, each in its shape and its layout in memory."""
    crossing = recording.crossing
    if recording.of_texts:
        parts = _apart(crossing, kept[:, :, :-1], kept.shape[:2], 2)
        return [part.contiguous() for part in parts]  # a linear layer sums otherwise over one that is not
    if len(crossing) == 1:
        return [crossing[0].restore(kept)]
    parts = _apart(crossing, kept, kept.shape[:1], 1)
    return [tensor.restore(part) for part, tensor in zip(parts, crossing, strict=True)]


def by_token(kept: Tensor) -> Tensor:
    """The rows (T, D) of the tokens that there are, one text behind the other, of what was packed (B, L, D + 1)."""
    return kept[kept[:, :, -1] > 0][:, :-1]


def row_bytes(kept: Tensor) -> int:
    """Of a token's row, in what was packed (B, L, D + 1)."""
    return (kept.shape[2] - 1) * kept.element_size()


def in_batch(rows: Tensor, lengths_B: Tensor, width: int) -> Tensor:
    """Rows (T, D) of texts so long in one batch as it was packed (B, L, D + 1); behind their ends stand zeros.

    Whatever stood there was attended to by none of the texts and gets no gradient.
    """
    is_text = (torch.arange(width) < lengths_B.unsqueeze(1)).to(rows.device)
    batch = rows.new_zeros(*is_text.shape, rows.shape[1] + 1)
    batch[:, :, :-1][is_text] = rows
    batch[:, :, -1] = is_text
    return batch


def _apart(crossing: Sequence[Expected], kept: Tensor, first: torch.Size, dims: int) -> list[Tensor]:
    """What lies side by side in the last dimension, each part (*first, ...) on its own."""
    shapes = [tensor.shape.of(1, 1)[dims:] for tensor in crossing]
    parts = kept.split([prod(shape) for shape in shapes], dim=dims)
    return [
        part.to(tensor.nothing.dtype).reshape(*first, *shape)  # packed as the widest of them
        for part, tensor, shape in zip(parts, crossing, shapes, strict=True)
    ]
