"""Tensors as far as they are known before they are computed: shapes that follow the batch, and placeholders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Layout = tuple[tuple[int, ...], tuple[int, ...]]
"""Shape and strides of a tensor."""


@dataclass(frozen=True)
class Batches:
    """The sizes of the batches in which a layout was seen: `few` images or texts, `more` of them, and of a few texts
    `longer` ones (of images, which are all of one size, as long as the first).
    """

    few: int
    more: int
    tokens: int = 0
    longer: int = 0


@dataclass(frozen=True)
class Sizes:
    """Numbers that grow with the batch: a shape or strides."""

    base: tuple[int, ...]
    """For no images."""
    growth: tuple[int, ...]
    """By what one more image makes each larger."""
    by_token: tuple[int, ...]
    """By what one more token of the longest text makes each larger; nothing but zeros for images."""

    def of(self, images: int, tokens: int = 0) -> tuple[int, ...]:
        each = zip(self.base, self.growth, self.by_token, strict=True)
        return tuple(size + images * more + tokens * longer for size, more, longer in each)


@dataclass(frozen=True)
class Expected:
    """A tensor, as far as it is known before it is computed."""

    shape: Sizes
    strides: Sizes
    nothing: Tensor
    """One value that spoils whatever uses it: NaN, so that a wrong cut is seen and never trained with."""
    is_kept: bool = False
    """It is used above the boundary."""
    is_contiguous: bool = True

    @property
    def follows_the_batch(self) -> bool:
        return any(self.shape.growth)

    @property
    def has_a_row_per_image(self) -> bool:
        """(B, ...)"""
        growth = self.shape.growth
        return self.shape.base[:1] == (0,) and growth[0] == 1 and not any((*growth[1:], *self.shape.by_token))

    @property
    def has_a_row_per_token(self) -> bool:
        """(B, L, ...), one token behind the other."""
        shape = self.shape
        others = (*shape.growth[2:], *shape.by_token[2:])
        first = (shape.base[:2], shape.growth[:2], shape.by_token[:2])
        return first == ((0, 0), (1, 0), (0, 1)) and not any(others) and self.is_contiguous

    def placeholder(self, images: int, tokens: int = 0) -> Tensor:
        """Of the right shape and dtype; it holds one value, whatever its size."""
        return self.nothing.expand(self.shape.of(images, tokens))

    def restore(self, rows: Tensor) -> Tensor:
        """The tensor from its values (B, ...), laid out in memory as it was: that can decide the last bit of a sum."""
        tensor = rows.reshape(self.shape.of(len(rows)))
        strides = self.strides.of(len(rows))
        if tensor.stride() == strides:
            return tensor
        if 0 in strides:  # several elements in one place, as `expand` leaves them
            return tensor.contiguous()
        return tensor.new_empty_strided(tensor.shape, strides).copy_(tensor)


def mapped(output: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """A module's output (a tensor, or tuples, lists and dicts of them) with `change` made to all of a kind."""
    if isinstance(output, kind):
        return change(output)
    if isinstance(output, dict):
        return type(output)({key: mapped(value, kind, change) for key, value in output.items()})
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        return type(output)(*(mapped(value, kind, change) for value in output))
    if isinstance(output, (tuple, list)):
        return type(output)(mapped(value, kind, change) for value in output)
    return output


def tensors(output: Any, kind: type = Tensor) -> list[Any]:
    """All of a kind in a module's output, in the order of `mapped`."""
    found: list[Any] = []
    mapped(output, kind, found.append)
    return found


def layout(tensor: Tensor) -> Layout:
    return tuple(tensor.shape), tensor.stride()


def expected(few: Layout, longer: Layout, tensor: Tensor, batches: Batches) -> Expected:
    """From the layouts that it had in two batches, and the tensor of the one with `more`."""
    shape, strides = (
        _sizes(one, other, more, batches)
        for one, other, more in zip(few, longer, layout(tensor), strict=True)
    )
    value = float("nan") if tensor.is_floating_point() else 0
    nothing = torch.full((), value, dtype=tensor.dtype, device=tensor.device)
    return Expected(shape, strides, nothing, is_contiguous=tensor.is_contiguous())


def _sizes(few: tuple[int, ...], longer: tuple[int, ...], more: tuple[int, ...], batches: Batches) -> Sizes:
    images, tokens = batches.more - batches.few, batches.longer - batches.tokens
    growth = tuple((b - a) // images for a, b in zip(few, more, strict=True))
    by_token = tuple((b - a) // tokens if tokens else 0 for a, b in zip(few, longer, strict=True))
    each = zip(few, growth, by_token, strict=True)
    return Sizes(tuple(a - batches.few * g - batches.tokens * t for a, g, t in each), growth, by_token)
