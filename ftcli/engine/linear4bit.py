"""A linear layer of bitsandbytes: 4 bits a weight, and the same bits afterwards whatever is computed with it.

Imports bitsandbytes: import this inside functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import bitsandbytes
import torch
from bitsandbytes.functional import QuantState, dequantize_4bit, get_4bit_type, quantize_4bit
from torch import Tensor, nn
from torch.utils.flop_counter import register_flop_formula

from ftcli.errors import ModelError
from ftcli.plans.quantised_base import BLOCK, SCALES


class FrozenLinear4bit(bitsandbytes.nn.Linear4bit):
    """`weight` (N, 1) uint8 holds two NF4 codes a byte, `nf4_absmax` the scale in fp32 of each block.

    The library's own layer rounds its bias where it meets bf16, and repacks its weights in evaluation on processors
    that have AVX512-BF16: they cannot be trained through afterwards. What is frozen must stay as it is, so this one
    computes with copies, in the dtype of its input or of autocast.
    """

    def __init__(self, linear: nn.Linear) -> None:
        """On the meta device it has shapes and no values, as `linear` has."""
        super().__init__(1, 1, bias=False, compress_statistics=False, quant_type="nf4", device="meta")
        self.in_features, self.out_features = linear.in_features, linear.out_features
        packed, state = _quantised(linear.weight.detach())
        self.weight = bitsandbytes.nn.Params4bit(
            packed, quant_state=state, compress_statistics=False, quant_type="nf4", bnb_quantized=True
        )
        self.bias = linear.bias
        self.register_buffer(SCALES, state.absmax)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features). Raises ModelError for an input of integers."""
        if not x.is_floating_point():
            what = (
                f"the network casts what goes into its layers to the dtype of their weights, here {x.dtype}"
            )
            raise ModelError(what, where="strategy.quantize", remedy="leave strategy.quantize out")
        dtype = _compute_dtype(x)
        bias = None if self.bias is None else self.bias.to(dtype)
        made: Tensor = bitsandbytes.matmul_4bit(x.to(dtype), self.weight, self._state(), bias=bias)
        return made

    @torch.no_grad()
    def full_weight(self) -> Tensor:
        """(out_features, in_features) in fp32, as it computes with them."""
        made: Tensor = dequantize_4bit(self.weight.data, self._state())
        return made

    def _state(self) -> QuantState:
        """The library's own, with the scales of the buffer: wherever that was moved to, whatever was loaded into it."""
        state = self.weight.quant_state
        state.absmax = self.get_buffer(SCALES)
        return state

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """Weight, bias and scales: shape and kind, which the library would write too, are the network's."""
        nn.Module._save_to_state_dict(self, destination, prefix, keep_vars)


def _compute_dtype(x: Tensor) -> torch.dtype:
    """As torch's own linear layer has it; there is no autocast of the meta device."""
    kind = x.device.type
    return x.dtype if x.is_meta or not torch.is_autocast_enabled(kind) else torch.get_autocast_dtype(kind)


def _quantised(weight: Tensor) -> tuple[Tensor, QuantState]:
    if not weight.is_meta:
        return quantize_4bit(weight, blocksize=BLOCK, compress_statistics=False, quant_type="nf4")
    count = weight.numel()
    packed = torch.empty((count + 1) // 2, 1, dtype=torch.uint8, device="meta")
    absmax = torch.empty(-(-count // BLOCK), device="meta")
    code = get_4bit_type("nf4", device="meta")
    return packed, QuantState(absmax, weight.shape, code, BLOCK, "nf4", weight.dtype)


@register_flop_formula(torch.ops.bitsandbytes.gemm_4bit)
def _flops(
    x_shape: Sequence[int], packed: Sequence[int], shape: Sequence[int], *rest: Any, **shapes: Any
) -> int:
    """Of a product with a matrix of `shape`: torch sees no further into an operator of the library's."""
    return 2 * prod(x_shape) * shape[0]
