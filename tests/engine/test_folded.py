"""Frozen batch norms in their convolutions: the same features but for rounding, and only where a pair is one."""

import pytest
import torch
from torch import nn

from ftcli.components.head import Linear
from ftcli.engine.build import build_network
from ftcli.engine.folded import MOST_ERROR, Fold, _Pairs, fold_below
from ftcli.engine.head_cut import cut_before_head, inputs_of
from ftcli.engine.precision import autocast
from ftcli.plans.layer_map import HEAD


def opened(backbone="timm/test_resnet"):
    """With batch norms that do something: their statistics and weights are drawn."""
    network = build_network(backbone, "none", Linear(), 3, image_size=64, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for module in network.model.modules():
            if isinstance(module, nn.BatchNorm2d):
                for tensor in (module.weight, module.running_var):
                    tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
                for tensor in (module.bias, module.running_mean):
                    tensor.copy_(torch.randn(tensor.shape, generator=generator) / 10)
    network.model.eval()
    return network, lambda images: network.model(images.float() / 255)


def pixels(count=4):
    return torch.randint(
        256, (count, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


def boundary_of(network, stage):
    return next(layer.index for layer in network.layer_map.layers if layer.stage == stage)


def fold_of(network, forward, stage=HEAD):
    return fold_below(network, forward, boundary_of(network, stage), pixels(), "digest")


@torch.no_grad()
def logits(forward):
    return forward(pixels())


@pytest.mark.parametrize(
    "backbone",
    ["timm/test_resnet", "timm/test_efficientnet", "timm/tf_efficientnet_lite0", "torchvision/densenet121"],
)
def test_the_logits_are_the_same_but_for_rounding(backbone):
    """timm's norms that activate too, padding as in TensorFlow, norms that stand before convolutions."""
    network, forward = opened(backbone)
    fold = fold_of(network, forward)
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in network.model.modules())
    assert norms // 3 < len(fold.convolutions) <= norms
    assert 0 < fold.error < MOST_ERROR
    apart, together = logits(forward), logits(fold.applied(forward))
    assert not torch.equal(apart, together)
    torch.testing.assert_close(together, apart, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("backbone", ["timm/test_resnet", "timm/tf_efficientnet_lite0"])
@torch.no_grad()
def test_in_bf16_what_is_folded_is_as_near_to_fp32(backbone):
    network, forward = opened(backbone)
    fold, (firsts, _) = fold_of(network, forward), cut_before_head(network)

    def features(way):
        return inputs_of(firsts, way, pixels(32)).float()

    exact = features(forward)
    with autocast("bf16", "cpu"):
        apart, folded = features(forward), features(fold.applied(forward))
    far, near = ((low - exact).norm().item() for low in (apart, folded))
    assert 0 < near < 1.1 * far < 0.1 * exact.norm().item()


def test_only_what_lies_below_is_folded():
    network, forward = opened()
    fold = fold_of(network, forward, "layer3")
    names = {id(tensor): name for name, tensor in network.model.named_parameters()}
    layers = {network.layer_map.by_name[names[weight]].stage for weight in fold.convolutions}
    assert layers == {"stem", "layer1", "layer2"}


def test_the_network_is_as_it_was():
    network, forward = opened()
    before = {name: tensor.clone() for name, tensor in network.model.state_dict().items()}
    whole = logits(forward)
    logits(fold_of(network, forward).applied(forward))
    assert torch.equal(logits(forward), whole)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.model.state_dict().items())


def test_nothing_is_folded_where_the_proof_fails(monkeypatch):
    network, forward = opened()
    monkeypatch.setattr("ftcli.engine.folded.MOST_ERROR", 0.0)
    fold = fold_of(network, forward)
    assert not fold.convolutions
    assert fold.error > 0
    assert fold.name == ""
    assert fold.applied(forward) is forward


class Block(nn.Module):
    def __init__(self, way):
        super().__init__()
        self.conv, self.norm, self.other = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.BatchNorm2d(3)
        self.way = way

    def forward(self, x):
        convolved = self.conv(x)
        return {
            "a pair": lambda: self.norm(convolved).relu_(),
            "its shape is asked for": lambda: self.norm(convolved)[: convolved.shape[0]],
            "used after the norm": lambda: self.norm(convolved) + convolved,
            "used before the norm": lambda: convolved.mean() + self.norm(convolved),
            "in a list": lambda: torch.cat([convolved, self.norm(convolved)]),
            "two norms": lambda: self.norm(convolved) + self.other(convolved),
            "changed in between": lambda: self.norm(convolved.relu_()),
            "a shared convolution": lambda: self.norm(convolved) + self.conv(x),
            "a shared norm": lambda: self.norm(convolved) + self.norm(x),
            "a norm that learns": lambda: self.norm.train()(convolved),
        }[self.way]()


@pytest.mark.parametrize(
    ("way", "pairs"),
    [
        ("a pair", 1),
        ("its shape is asked for", 1),
        ("used after the norm", 0),
        ("used before the norm", 0),
        ("in a list", 0),
        ("two norms", 0),
        ("changed in between", 0),
        ("a shared convolution", 0),
        ("a shared norm", 0),
        ("a norm that learns", 0),
    ],
)
@torch.no_grad()
def test_a_pair_is_a_convolution_that_one_batch_norm_takes_and_nothing_else(way, pairs):
    block = Block(way).eval()
    watching = _Pairs({id(tensor): tensor for tensor in [*block.parameters(), *block.buffers()]})
    with watching:
        block(torch.randn(2, 3, 4, 4))
    assert len(watching.fold("").convolutions) == pairs


def test_without_pairs_nothing_is_done():
    network, forward = opened("timm/test_vit")
    fold = fold_of(network, forward)
    assert not fold.convolutions
    assert fold.error == 0
    assert Fold().applied(forward) is forward
