"""FLOPs of a step against what can be worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ftcli.engine.build import build_network
from ftcli.engine.network import Network
from ftcli.engine.prefix_cost import forward_flops
from ftcli.engine.training_flops import step_flops
from ftcli.plans.preprocessing import Preprocessing
from ftcli.registry import kinds
from tests.text_models import new_text_network
from tests.toys import EFFICIENTNET, RESNET, VIT

SIDE = 8
PLACES = SIDE * SIDE
STEM, DEPTHWISE, HEAD = 2 * PLACES * 16 * 3 * 9, 2 * PLACES * 16 * 9, 2 * 16 * 5


def by_hand() -> Network:
    """A plain convolution, a depthwise one, a linear head."""
    from dataclasses import replace

    layers = [nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1, groups=16)]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5)).to("meta")
    any_network = opened(RESNET, 5)
    preprocessing = replace(any_network.preprocessing, image_size=SIDE)
    assert isinstance(preprocessing, Preprocessing)
    return replace(any_network, model=model, preprocessing=preprocessing)


def opened(name: str, classes: int, *, meta: bool = True) -> Network:
    linear = kinds("head")["linear"](kind="linear")
    return build_network(name, "none", linear, classes, image_size=32, seed=0, meta=meta)


@pytest.mark.parametrize(
    ("trainable", "backward"),
    [
        ({"4.weight", "4.bias"}, HEAD),
        ({"1.weight", "4.weight"}, DEPTHWISE + 2 * HEAD),
        ({"0.weight", "1.weight", "4.weight"}, STEM + 2 * DEPTHWISE + 2 * HEAD),
        ({"0.weight"}, STEM + DEPTHWISE + HEAD),
        (set(), 0),
    ],
    ids=["head", "upper", "all", "only the lowest", "nothing"],
)
def test_of_an_image_by_hand(trainable: set[str], backward: int) -> None:
    """The lowest layer that trains has no gradient of its input, a frozen one above it none of its weights."""
    found = step_flops(by_hand(), frozenset(trainable))
    assert (found.forward, found.backward) == (STEM + DEPTHWISE + HEAD, backward)


@pytest.mark.parametrize("name", [RESNET, EFFICIENTNET, VIT])
def test_a_whole_network_takes_two_to_three_forward_passes(name: str) -> None:
    """The backward pass is twice the forward one, but for the gradient of the images, which nobody asks for."""
    network = opened(name, 10)
    everything = frozenset(name for name, _ in network.model.named_parameters())
    found = step_flops(network, everything)
    assert found.forward == pytest.approx(forward_flops(opened(name, 10, meta=False)), rel=0.01)
    assert 1.5 * found.forward < found.backward <= 2 * found.forward
    head = frozenset(p.name for p in network.layer_map.in_stages(["head"]))
    assert step_flops(network, head).backward < 0.1 * found.forward
    assert all(p.device == torch.device("meta") for p in network.model.parameters())


@pytest.mark.parametrize("tokens", [9.0, 24.0])
def test_of_a_text_by_hand(tokens: float) -> None:
    """A BERT's matrix products, and those of its attention; the pooler and the head see one token."""
    pytest.importorskip("transformers")
    width, hidden, layers, classes, length = 16, 32, 3, 7, int(tokens)
    block = 2 * length * (4 * width * width + 2 * width * hidden) + 4 * length * length * width
    whole = layers * block + 2 * width * width + 2 * width * classes
    network = new_text_network("bert", meta=True, classes=classes)
    found = step_flops(network, frozenset(p.name for p in network.layer_map.parameters), tokens)
    assert found.forward == whole
    assert 1.9 * whole < found.backward < 2.6 * whole
    assert step_flops(network, frozenset(), tokens).backward == 0
