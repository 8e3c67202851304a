"""Every architecture of torchvision and of timm, on the meta device: what opens keeps its promises.

A sample is checked by default: one of each family, and every so many of the rest. All of them are slow tests.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import timm as timms_own
import torch
from timm.models import model_entrypoint

from ftcli.components.backbone import is_below, open_backbone, source
from ftcli.components.head import Linear
from ftcli.engine.build import build_network
from ftcli.engine.network import Network
from ftcli.errors import ModelError
from ftcli.plans.layer_map import HEAD

CLASSES = 7
EVERY_SO_MANY = 100
EVERY = [
    f"{library}/{model}" for library in ("torchvision", "timm") for model in source(f"{library}/")[0].names()
]


def first_of_each_family() -> Iterator[str]:
    """By timm's files, each of which is one."""
    families: dict[str, str] = {}
    for name in EVERY:
        if name.startswith("timm/"):
            families.setdefault(model_entrypoint(name.removeprefix("timm/")).__module__, name)
    yield from families.values()


SAMPLE = {*first_of_each_family(), *EVERY[::EVERY_SO_MANY]}


@pytest.mark.parametrize(
    "backbone", [pytest.param(name, marks=() if name in SAMPLE else pytest.mark.slow) for name in EVERY]
)
def test_it_opens_and_keeps_its_promises(backbone: str) -> None:
    network = build_network(
        backbone, "none", Linear(), CLASSES, image_size=None, seed=0, pretrained=False, meta=True
    )
    every_tensor_has_its_layer(network)
    layers_run_from_the_stem_to_the_head(network)
    the_head_is_the_new_modules_and_nothing_else(network)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", EVERY)
def test_layers_compute_in_their_order_and_get_gradients(backbone: str) -> None:
    network = build_network(
        backbone, "none", Linear(), CLASSES, image_size=None, seed=0, pretrained=False, meta=True
    )
    seen: list[int] = []
    for name, module in network.model.named_modules():
        if name in network.module_layers and list(module.parameters(recurse=False)):
            layer = network.module_layers[name]
            module.register_forward_pre_hook(lambda *_, layer=layer: seen.append(layer))
    size = network.preprocessing.image_size
    logits = network.model.train()(torch.empty(2, 3, size, size, device="meta"))
    assert logits.shape == (2, CLASSES)
    assert list(dict.fromkeys(seen)) == list(range(len(network.layer_map.layers)))
    logits.sum().backward()
    assert not [name for name, p in network.model.named_parameters() if p.grad is None]


def every_tensor_has_its_layer(network: Network) -> None:
    layer_map = network.layer_map
    shapes = {name: tuple(tensor.shape) for name, tensor in network.model.named_parameters()}
    assert {p.name: p.shape for p in layer_map.parameters} == shapes
    assert len(layer_map.parameters) == len(shapes), "a parameter is in one layer"
    assert all(p.stage == layer_map.layers[p.layer].stage for p in layer_map.parameters)
    buffers = [name for norm in layer_map.batch_norms for name in norm.buffers]
    buffers += [name for name, _ in layer_map.buffers]
    assert sorted(buffers) == sorted(name for name, _ in network.model.named_buffers())


def layers_run_from_the_stem_to_the_head(network: Network) -> None:
    layers = network.layer_map.layers
    assert [layer.index for layer in layers] == list(range(len(layers)))
    assert len({layer.name for layer in layers}) == len(layers)
    assert (layers[0].stage, layers[-1].stage) == ("stem", HEAD)
    stages = [layer.stage for layer in layers]
    runs = [stage for i, stage in enumerate(stages) if i == 0 or stage != stages[i - 1]]
    assert len(runs) == len(set(runs)), "a stage is one run of layers"
    assert {p.layer for p in network.layer_map.parameters} == set(range(len(layers))), "no layer is empty"


def the_head_is_the_new_modules_and_nothing_else(network: Network) -> None:
    assert network.heads
    head = {p.name for p in network.layer_map.in_stages([HEAD])}
    assert head == {f"{path}.{field}" for path in network.heads for field in ("weight", "bias")}
    classes = {len(network.model.get_submodule(path).weight) for path in network.heads}
    assert classes == {CLASSES}
    assert all(is_below(name, network.heads) for name in head)


def test_nothing_of_timm_is_passed_over() -> None:
    timm, _ = source("timm/")
    assert sorted([*timm.names(), *timm.exceptions()]) == sorted(timms_own.list_models())
    assert len(timm.exceptions()) < 0.01 * len(timms_own.list_models())


@pytest.mark.parametrize("name", source("timm/")[0].exceptions())
def test_an_exception_is_refused_for_its_reason(name: str) -> None:
    with pytest.raises(ModelError) as caught:
        open_backbone(f"timm/{name}", "none", meta=True)
    assert source("timm/")[0].exceptions()[name] in caught.value.what


def test_torchvision_has_no_exceptions() -> None:
    assert source("torchvision/")[0].exceptions() == {}
