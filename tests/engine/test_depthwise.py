"""Gradients in pieces are torch's own, in every shape; what does not gain by it is left alone."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ftcli.engine import depthwise
from ftcli.engine.depthwise import DepthwiseConv2d, in_pieces
from ftcli.engine.precision import autocast

LAST = torch.channels_last
SHAPES = {
    "5x5": ((5, 5), (1, 1), (2, 2), (9, 8)),
    "5x5, stride 2, padded before": ((5, 5), (2, 2), (0, 0), (12, 13)),
    "5x5, stride 2": ((5, 5), (2, 2), (2, 2), (8, 9)),
    "7x7": ((7, 7), (1, 1), (3, 3), (7, 6)),
    "7x7, an image of one pixel": ((7, 7), (1, 1), (3, 3), (1, 1)),
    "7x7, larger than the image": ((7, 7), (1, 1), (3, 3), (2, 3)),
    "4x4, stride 4: a part of the image meets nothing": ((4, 4), (4, 4), (0, 0), (11, 14)),
    "1x9, stride 3 down": ((1, 9), (3, 1), (0, 4), (7, 10)),
    "3x4, much padded": ((3, 4), (1, 2), (2, 3), (5, 5)),
}


def drawn(shape, dtype=torch.float32, channels=6):
    kernel, stride, padding, size = SHAPES[shape]
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(3, channels, *size, dtype=dtype, generator=generator).to(memory_format=LAST)
    weight = torch.randn(channels, 1, *kernel, dtype=dtype, generator=generator)
    bias = torch.randn(channels, dtype=dtype, generator=generator)
    return [tensor.requires_grad_() for tensor in (images, weight, bias)], stride, padding


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_those_of_finite_differences(shape):
    tensors, stride, padding = drawn(shape, torch.float64, channels=2)
    assert torch.autograd.gradcheck(lambda *given: DepthwiseConv2d.apply(*given, stride, padding), tensors)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_gradients_are_those_of_torch(shape, precision, monkeypatch):
    """In every shape, also where it does not pay."""
    monkeypatch.setattr(depthwise, "_pays", lambda width, columns, stride: True)
    tensors, stride, padding = drawn(shape)

    def gradients(change):
        with autocast(precision, "cpu"):
            output = change(lambda x: F.conv2d(x, *tensors[1:], stride, padding, groups=6))(tensors[0])
        output.float().square().sum().backward()
        found = [output.detach(), *(tensor.grad for tensor in tensors)]
        for tensor in tensors:
            tensor.grad = None
        return found

    close = {"rtol": 1e-4, "atol": 1e-4} if precision == "fp32" else {"rtol": 2e-2, "atol": 0.5}
    whole, pieces = gradients(lambda forward: forward), gradients(in_pieces)
    assert torch.equal(whole[0], pieces[0])
    for expected, found in zip(whole, pieces, strict=True):
        torch.testing.assert_close(found, expected, **close)


def kinds_of_backward(module, images):
    """Names of the autograd nodes of convolutions."""
    output = in_pieces(module)(images)
    seen, waiting = set(), [output.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [before for before, _ in node.next_functions]
    return [node.name() for node in seen if "Conv" in node.name()]


@pytest.mark.parametrize(
    ("module", "is_taken"),
    [
        (nn.Conv2d(4, 4, 5, padding=2, groups=4), True),
        (nn.Conv2d(4, 4, 5, padding=2, groups=4, bias=False), True),
        (nn.Conv2d(4, 4, 3, padding=1, groups=4), False),
        (nn.Conv2d(4, 4, (7, 3), padding=1, groups=4), False),
        (nn.Conv2d(4, 4, 5, padding=2, groups=2), False),
        (nn.Conv2d(4, 8, 5, padding=2, groups=4), False),
        (nn.Conv2d(4, 4, 5, padding=4, dilation=2, groups=4), False),
        (nn.Conv2d(4, 4, 5, padding="same", groups=4), False),
    ],
)
def test_wide_depthwise_kernels_alone_are_taken(module, is_taken):
    images = torch.randn(2, 4, 9, 9).to(memory_format=LAST).requires_grad_()
    expected = "DepthwiseConv2dBackward" if is_taken else "ConvolutionBackward0"
    assert kinds_of_backward(module, images) == [expected]


@pytest.mark.parametrize(
    ("columns", "width", "stride", "is_taken"),
    [(5, 5, 1, True), (5, 4, 1, False), (7, 7, 1, True), (7, 6, 1, False), (5, 5, 2, True), (7, 9, 2, False)],
)
def test_where_it_was_measured_to_lose_it_is_left_alone(columns, width, stride, is_taken):
    module = nn.Conv2d(4, 4, columns, stride=stride, padding=columns // 2, groups=4)
    images = torch.randn(2, 4, 9, width).to(memory_format=LAST).requires_grad_()
    expected = "DepthwiseConv2dBackward" if is_taken else "ConvolutionBackward0"
    assert kinds_of_backward(module, images) == [expected]


def test_a_frozen_kernel_is_left_alone():
    module = nn.Conv2d(4, 4, 5, padding=2, groups=4).requires_grad_(False)
    images = torch.randn(2, 4, 9, 9).to(memory_format=LAST).requires_grad_()
    assert kinds_of_backward(module, images) == ["ConvolutionBackward0"]


def test_without_grad_nothing_is_changed(monkeypatch):
    monkeypatch.setattr(depthwise.DepthwiseConv2d, "apply", None)  # called, it would raise
    module, images = nn.Conv2d(4, 4, 5, groups=4), torch.randn(2, 4, 9, 9).to(memory_format=LAST)
    with torch.no_grad():
        assert torch.equal(in_pieces(module)(images), module(images))


def test_a_network_learns_the_same():
    """timm's padding as TensorFlow pads calls conv2d past the module; that is seen too."""
    import timm

    torch.manual_seed(0)
    model = timm.create_model("tf_efficientnet_lite0", num_classes=3).to(memory_format=LAST).eval()
    images = torch.randn(2, 3, 160, 160).to(memory_format=LAST)
    gradients = []
    for forward in (model, in_pieces(model)):
        model.zero_grad()
        forward(images).square().sum().backward()
        gradients.append({name: p.grad.clone() for name, p in model.named_parameters()})
    whole, pieces = gradients
    changed = [name for name in whole if not torch.equal(whole[name], pieces[name])]
    wide = [
        name for name, p in model.named_parameters() if p.ndim == 4 and p.shape[1] == 1 and p.shape[3] > 3
    ]
    assert len(wide) == 9
    assert set(changed) <= set(wide)
    for name in wide:
        scale = whole[name].abs().max().item()
        torch.testing.assert_close(pieces[name], whole[name], rtol=1e-4, atol=1e-4 * scale)
    assert kinds_of_backward(model, images).count("DepthwiseConv2dBackward") == len(wide)
    small = images[..., :64, :64].contiguous(memory_format=LAST)
    assert kinds_of_backward(model, small).count("DepthwiseConv2dBackward") == 3, "the others see 4x4 and 2x2"
