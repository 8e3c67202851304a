"""A linear layer in 4 bits: it computes with what it holds, and holds what it was given, in every mode and dtype."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ftcli.engine.proof import digest
from ftcli.errors import ModelError

pytest.importorskip("bitsandbytes")

from ftcli.engine.linear4bit import BLOCK, FrozenLinear4bit

SHAPES = [(48, 64), (3, 192), (1, 128)]
"""(out, in)."""


def linear(shape: tuple[int, int] = SHAPES[0], *, bias: bool = True, seed: int = 0) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(shape[1], shape[0], bias=bias)


def inputs(width: int) -> Tensor:
    return torch.randn((2, 6, width), generator=torch.Generator().manual_seed(1))


def bits(layer: nn.Module) -> dict[str, str]:
    return {name: digest(tensor) for name, tensor in layer.state_dict().items()}


@pytest.mark.parametrize("shape", SHAPES)
def test_each_weight_is_the_nearest_of_sixteen(shape: tuple[int, int]) -> None:
    full = linear(shape).weight.detach()
    layer = FrozenLinear4bit(linear(shape))
    assert (layer.weight.dtype, layer.weight.shape) == (torch.uint8, ((full.numel() + 1) // 2, 1))
    assert layer.nf4_absmax.shape == (-(-full.numel() // BLOCK),)
    codes = layer.weight.quant_state.code
    scales = full.flatten().split(BLOCK)
    nearest = torch.cat(
        [
            codes[(block[:, None] / block.abs().max() - codes).abs().argmin(dim=1)] * block.abs().max()
            for block in scales
        ]
    )
    torch.testing.assert_close(layer.full_weight().flatten(), nearest, rtol=1e-6, atol=1e-7)
    error = (layer.full_weight() - full).norm() / full.norm()
    assert 0.03 < error < 0.15


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bias", [True, False])
def test_outputs_and_gradients_are_those_of_the_rounded_weights(shape: tuple[int, int], bias: bool) -> None:
    layer, plain = FrozenLinear4bit(linear(shape, bias=bias)), linear(shape, bias=bias)
    plain.weight.data = layer.full_weight()
    x, same = inputs(shape[1]).requires_grad_(), inputs(shape[1]).requires_grad_()
    found, meant = layer(x), plain(same)
    torch.testing.assert_close(found, meant)
    for made in (found, meant):
        (made**2).sum().backward()
    torch.testing.assert_close(x.grad, same.grad)
    assert layer.weight.grad is None


@pytest.mark.parametrize("training", [True, False])
def test_bf16_computes_with_copies(training: bool) -> None:
    """The library's own layer would leave its bias in bf16, or its weights in another order."""
    layer = FrozenLinear4bit(linear()).train(training)
    layer.support_avx512bf16_for_cpu = True
    before, x = bits(layer), inputs(64)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found = layer(x.bfloat16())
    assert found.dtype == torch.bfloat16
    assert layer(x).dtype == torch.float32
    assert bits(layer) == before
    assert layer.bias.dtype == torch.float32
    torch.testing.assert_close(found.float(), layer(x), rtol=0.05, atol=0.05)


def test_what_is_loaded_is_computed_with() -> None:
    """Into one of other weights, also where that has been moved."""
    first, second = FrozenLinear4bit(linear()), FrozenLinear4bit(linear(seed=1)).to("cpu")
    assert set(first.state_dict()) == {"weight", "bias", "nf4_absmax"}
    assert not torch.equal(first(inputs(64)), second(inputs(64)))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(inputs(64)), second(inputs(64)))
    assert torch.equal(first.full_weight(), second.full_weight())


def test_the_same_weights_give_the_same_bits() -> None:
    assert bits(FrozenLinear4bit(linear())) == bits(FrozenLinear4bit(linear()))
    assert bits(FrozenLinear4bit(linear())) != bits(FrozenLinear4bit(linear(seed=1)))


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_work_is_counted_as_that_of_a_plain_one(device: str) -> None:
    with torch.device(device):
        layer, plain = FrozenLinear4bit(linear()), linear()
    x = inputs(64).to(device).requires_grad_()
    counts = []
    for one in (layer, plain.requires_grad_(False)):
        with FlopCounterMode(display=False) as counter:
            one(x).sum().backward()
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1] == 2 * 2 * 12 * 64 * 48


def test_an_input_that_was_cast_to_the_dtype_of_the_weights_is_refused() -> None:
    """As T5 casts what goes into one of its layers."""
    with pytest.raises(ModelError, match=r"torch\.uint8"):
        FrozenLinear4bit(linear())(inputs(64).to(torch.uint8))
