"""Depthwise convolutions on the CPU whose weight gradient is taken a few columns of the kernel at a time.

oneDNN has a fast weight gradient for depthwise kernels of up to three columns. For wider ones (5x5 in EfficientNet and
MobileNetV3, 7x7 in ConvNeXt) it takes its kernel for plain convolutions, whose blocks of 16 channels then hold one
each. A wide kernel's gradient is that of its columns, so it is taken in pieces of three, each from the input shifted
as far: where the image is as wide as the kernel 1.6 to 3.9 times faster in all but one of EfficientNet-Lite0's layers
(1.1: its widest of stride 2), and mostly slower where it is narrower. On one core, from 32 to 224 pixels
(tests/benchmarks/depthwise.py); on two, nine of these shapes gave the same picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ftcli.engine.instead import instead
from ftcli.plans.depthwise import COLUMNS

Pair = tuple[int, int]
STRIDED = 5
"""Columns of the only kernels measured to gain at a stride above 1: those of 4, 6, 7, 9 and 10 lose, 8 is not known."""
_backward = torch.ops.aten.convolution_backward


def in_pieces(forward: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The same function, the same values; its wide depthwise convolutions learn in pieces."""
    return instead({torch.conv2d: _conv2d}, forward)


def _conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    if isinstance(padding, str) or _pair(dilation) != (1, 1) or not _is_meant(input, weight, groups):
        return torch.conv2d(input, weight, bias, stride, padding, dilation, groups)
    if not _pays(input.shape[3], weight.shape[3], _pair(stride)):
        return torch.conv2d(input, weight, bias, stride, padding, dilation, groups)
    if torch.is_autocast_enabled("cpu"):
        low = torch.get_autocast_dtype("cpu")
        input, weight = input.to(low), weight.to(low)
        bias = None if bias is None else bias.to(low)
    output: Tensor = DepthwiseConv2d.apply(input, weight, bias, _pair(stride), _pair(padding))
    return output


def _pays(width: int, columns: int, stride: Pair) -> bool:
    """By shape alone, so that a run that goes on does as it did. `width` with what is padded before."""
    return width >= columns and (stride[1] == 1 or columns == STRIDED)


def _is_meant(images: Tensor, weight: Tensor, groups: int) -> bool:
    return (
        groups == len(weight) > 1
        and weight.shape[1] == 1
        and weight.shape[3] > COLUMNS
        and weight.device.type == "cpu"
        and weight.requires_grad
        and torch.is_grad_enabled()
        and images.ndim == 4
        and images.is_contiguous(memory_format=torch.channels_last)
    )


def _pair(value: int | Sequence[int]) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[-1])


class DepthwiseConv2d(torch.autograd.Function):
    """images (B, C, H, W), weight (C, 1, K, L), bias (C) or None, stride and padding (rows, columns) -> as conv2d."""

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, weight: Tensor, bias: Tensor | None, stride: Pair, padding: Pair
    ) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(images, weight, bias, stride, padding, groups=len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        for_images, for_weight, for_bias = ctx.needs_input_grad[:3]
        of_images = of_weight = of_bias = None
        if for_images:
            of_images, _, _ = _gradients(grad, images, weight, ctx.stride, ctx.padding, (True, False, False))
        if for_weight:
            of_weight = _weight_gradient(grad, images, weight, ctx.stride, ctx.padding)
        if for_bias:
            of_bias = grad.sum((0, 2, 3))
        return of_images, of_weight, of_bias, None, None


def _weight_gradient(grad: Tensor, images: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> Tensor:
    starts = range(0, weight.shape[3], COLUMNS)
    return torch.cat([_piece(start, grad, images, weight, stride, padding) for start in starts], dim=3)


def _piece(start: int, grad: Tensor, images: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> Tensor:
    """Of the kernel's column `start` and the next ones: they meet an input that begins `start` columns further on."""
    columns = weight[..., start : start + COLUMNS]
    left = padding[1] - start
    width = (grad.shape[3] - 1) * stride[1] + columns.shape[3]
    if left + images.shape[3] <= 0 or left >= width:
        return torch.zeros_like(columns)  # of an image so narrow they meet only what is beside it
    met = F.pad(images, (left, width - images.shape[3] - left))  # negative: cut off
    return _gradients(grad, met, columns, stride, (padding[0], 0), (False, True, False))[1]


def _gradients(
    grad: Tensor,
    images: Tensor,
    weight: Tensor,
    stride: Pair,
    padding: Pair,
    wanted: tuple[bool, bool, bool],
) -> tuple[Tensor, Tensor, Tensor]:
    """torch's own, of images, weight and bias."""
    found: tuple[Tensor, Tensor, Tensor] = _backward(
        grad, images, weight, None, stride, padding, (1, 1), False, (0, 0), len(weight), wanted
    )
    return found
