"""Depth read off the order of modules: what libraries declare, and what people write."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision import models as zoo

from ftcli.components.backbone import group, open_backbone
from ftcli.components.backbone._module_order import by_module_order
from ftcli.engine.layer_map import layer_map_of


def order_of(model: nn.Module, *heads: str) -> dict[str, list[str]]:
    """Stage to the names of its layers, the head left out."""
    layer_map, _ = layer_map_of(model, heads, by_module_order(model, heads), "mine")
    stages: dict[str, list[str]] = {}
    for layer in layer_map.layers[:-1]:
        stages.setdefault(layer.stage, []).append(layer.name)
    return stages


def layer_of(model: nn.Module, name: str, *heads: str) -> str:
    layer_map, _ = layer_map_of(model, heads, by_module_order(model, heads), "mine")
    (parameter,) = [p for p in layer_map.parameters if p.name == name]
    return layer_map.layers[parameter.layer].name


def unit(channels: int, out: int) -> nn.Sequential:
    """Two convolutions with their norms."""
    return nn.Sequential(
        nn.Conv2d(channels, out, 3, padding=1),
        nn.BatchNorm2d(out),
        nn.ReLU(),
        nn.Conv2d(out, out, 3, padding=1),
        nn.BatchNorm2d(out),
        nn.ReLU(),
    )


def transformer_layer() -> nn.Module:
    return nn.TransformerEncoderLayer(8, 2, 16)


class Holds(nn.Module):
    """A module of these children, in this order."""

    def __init__(self, **children: nn.Module) -> None:
        super().__init__()
        for name, child in children.items():
            self.add_module(name, child)


@pytest.mark.parametrize(
    "name",
    [
        "resnet18",
        "vit_b_32",
        "regnet_x_400mf",
        "convnext_tiny",
        "swin_t",
        "efficientnet_b0",
        "maxvit_t",
        "shufflenet_v2_x0_5",
    ],
)
def test_it_finds_what_is_declared(name: str) -> None:
    opened = open_backbone(f"torchvision/{name}", "none", meta=True)
    found, _ = layer_map_of(opened.model, opened.heads, by_module_order(opened.model, opened.heads), name)
    declared, _ = layer_map_of(opened.model, opened.heads, opened.depth, name)
    assert found == declared


def test_densenets_transitions_lead_to_the_next_block() -> None:
    """The one difference: torchvision's table counts them with the block before."""
    opened = open_backbone("torchvision/densenet121", "none", meta=True)
    stages = order_of(opened.model, *opened.heads)
    assert [len(layers) for layers in stages.values()] == [1, 6, 12, 24, 16]
    assert layer_of(opened.model, "features.norm0.weight", "classifier") == "stem"
    assert (
        layer_of(opened.model, "features.transition1.conv.weight", "classifier") == "denseblock2.denselayer1"
    )


def test_a_backbone_in_a_module_of_ones_own() -> None:
    backbone = zoo.resnet18()
    backbone.fc = nn.Identity()
    stages = order_of(Holds(backbone=backbone, head=nn.Linear(512, 3)), "head")
    assert list(stages) == ["stem", "layer1", "layer2", "layer3", "layer4"]
    assert stages["layer4"] == ["layer4.0", "layer4.1"]


def test_the_children_of_a_resnet_in_a_sequential() -> None:
    children = list(zoo.resnet18().children())[:-1]
    model = nn.Sequential(*children, nn.Flatten(), nn.Linear(512, 2))
    stages = order_of(model, "10")
    assert list(stages) == ["stem", "4", "5", "6", "7"]
    assert layer_of(model, "1.weight", "10") == "stem"


def test_a_plain_network_is_a_layer_a_weight_matrix() -> None:
    model = Holds(
        conv1=nn.Conv2d(3, 8, 3),
        bn1=nn.BatchNorm2d(8),
        conv2=nn.Conv2d(8, 8, 3),
        bn2=nn.BatchNorm2d(8),
        fc1=nn.Linear(8, 8),
        fc2=nn.Linear(8, 2),
    )
    assert list(order_of(model, "fc2")) == ["stem", "conv2", "fc1"]
    assert layer_of(model, "bn1.weight", "fc2") == "stem"
    assert layer_of(model, "bn2.weight", "fc2") == "conv2"


def test_norms_that_are_registered_after_all_convolutions() -> None:
    norms = {f"bn{number}": nn.BatchNorm2d(8 * number) for number in (1, 2)}
    model = Holds(conv1=nn.Conv2d(3, 8, 3), conv2=nn.Conv2d(8, 16, 3), **norms, fc=nn.Linear(16, 2))
    assert layer_of(model, "bn1.weight", "fc") == "stem"
    assert layer_of(model, "bn2.weight", "fc") == "conv2"


def test_a_network_without_rows() -> None:
    model = Holds(
        first=nn.Conv2d(3, 8, 3), second=nn.Conv2d(8, 8, 3), third=nn.Conv2d(8, 8, 3), out=nn.Linear(8, 2)
    )
    assert list(order_of(model, "out")) == ["stem", "second", "third"]


def test_a_sequential_of_linear_layers() -> None:
    model = nn.Sequential(
        nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.Linear(8, 2)
    )
    assert list(order_of(model, "5")) == ["stem", "2", "4"]


def test_features_and_classifier() -> None:
    stages = order_of(zoo.alexnet(), "classifier.6")
    assert list(stages)[1:] == [*(f"features.{n}" for n in (3, 6, 8, 10)), "classifier.1", "classifier.4"]


@pytest.mark.parametrize("widths", [(8, 16), (8, 8)])
def test_a_u_net_goes_down_and_up(widths: tuple[int, int]) -> None:
    narrow, wide = widths
    model = Holds(
        inc=unit(3, narrow),
        down1=unit(narrow, narrow),
        down2=unit(narrow, wide),
        middle=unit(wide, wide),
        up1=unit(wide, narrow),
        up2=unit(narrow, wide),
        out=nn.Conv2d(wide, 2, 1),
    )
    assert list(order_of(model, "out")) == ["stem", "down1", "down2", "middle", "up1", "up2"]


def test_encoder_and_decoder_follow_each_other() -> None:
    """Their layers are as many and as wide, and yet do not go side by side."""
    model = Holds(
        embed=nn.Embedding(5, 8),
        encoder_layers=nn.ModuleList([transformer_layer(), transformer_layer()]),
        decoder_layers=nn.ModuleList([transformer_layer(), transformer_layer()]),
        norm=nn.LayerNorm(8),
        head=nn.Linear(8, 2),
    )
    stages = order_of(model, "head")
    assert list(stages) == [
        "stem",
        *(f"{half}_layers.{n}" for half in ("encoder", "decoder") for n in (0, 1)),
    ]
    assert layer_of(model, "norm.weight", "head") == "decoder_layers.1"


def test_rows_side_by_side_are_one() -> None:
    """As in PVT and PoolFormer: the patch embedding of a stage is registered in a row of its own."""
    model = Holds(
        patch_embeddings=nn.ModuleList([nn.Conv2d(3, 8, 2), nn.Conv2d(8, 16, 2), nn.Conv2d(16, 32, 2)]),
        block=nn.ModuleList(
            [nn.ModuleList([unit(width, width), unit(width, width)]) for width in (8, 16, 32)]
        ),
        head=nn.Linear(32, 2),
    )
    stages = order_of(model, "head")
    assert list(stages) == ["stem", "block.0", "block.1", "block.2"]
    assert stages["block.1"] == ["block.1.0", "block.1.1"]
    assert layer_of(model, "patch_embeddings.0.weight", "head") == "stem"
    assert layer_of(model, "patch_embeddings.2.weight", "head") == "block.2.0"


def test_two_backbones() -> None:
    halves = {name: zoo.resnet18() for name in ("rgb", "depth")}
    for half in halves.values():
        half.fc = nn.Identity()
    stages = order_of(Holds(**halves, head=nn.Linear(1024, 2)), "head")
    assert list(stages) == ["stem", "rgb", "depth"]
    assert stages["depth"] == [f"depth.layer{number}" for number in range(1, 5)]


@pytest.mark.parametrize(
    ("model", "head"),
    [
        (Holds(a=nn.Linear(3, 3), head=nn.Linear(3, 2)), "head"),
        (Holds(a=nn.BatchNorm1d(3), b=nn.BatchNorm1d(3), head=nn.Linear(3, 2)), "head"),
        (nn.Sequential(nn.LSTM(4, 4, 2), nn.Linear(4, 2)), "1"),
    ],
)
def test_without_structure_there_is_one_layer(model: nn.Module, head: str) -> None:
    assert order_of(model, head) == {"stem": ["stem"]}


@pytest.mark.parametrize(
    "model",
    [
        nn.Linear(2, 2),
        nn.ReLU(),
        nn.Sequential(),
        nn.Sequential(nn.LazyLinear(4), nn.LazyLinear(4)),
        nn.LSTM(2, 2),
    ],
)
def test_it_never_fails(model: nn.Module) -> None:
    depth = by_module_order(model, [])
    names = [name for name, _ in model.named_parameters()]
    assert set(group(names, depth.layers).index) == set(group(names, depth.stages).index) == set(names)


def test_tied_weights_count_once() -> None:
    model = nn.Transformer(8, 2, 2, 2, 16, batch_first=True)
    model.tied = model.encoder.layers[0]
    depth = by_module_order(model, [])
    names = [name for name, _ in model.named_parameters()]
    assert set(group(names, depth.layers).index) == set(names)


def test_every_parameter_is_in_a_layer_whatever_the_order() -> None:
    """Random trees of modules: nothing is lost, and the two divisions agree on the first."""
    generator = torch.Generator().manual_seed(0)

    def draw(high: int) -> int:
        return int(torch.randint(high, (), generator=generator))

    def grown(depth: int) -> nn.Module:
        if depth == 0 or draw(4) == 0:
            return [nn.Linear(2, 2), nn.LayerNorm(2), nn.ReLU(), nn.Conv2d(2, 3, 1)][draw(4)]
        children = [grown(depth - 1) for _ in range(1 + draw(4))]
        kind = draw(3)
        if kind == 0:
            return nn.Sequential(*children)
        if kind == 1:
            return nn.ModuleList(children)
        return Holds(**{["block", "norm", "x"][draw(3)] + str(place): c for place, c in enumerate(children)})

    for _ in range(300):
        model = grown(4)
        names = [name for name, _ in model.named_parameters()]
        depth = by_module_order(model, [])
        layers, stages = group(names, depth.layers), group(names, depth.stages)
        assert set(layers.index) == set(stages.index) == set(names)
        for layer in range(len(layers.names)):
            assert len({stages.index[name] for name in names if layers.index[name] == layer}) == 1
