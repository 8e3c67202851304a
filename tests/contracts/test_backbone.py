"""What every backbone promises, whatever its family and source."""

from __future__ import annotations

from collections.abc import Collection
from copy import deepcopy
from dataclasses import replace
from functools import lru_cache

import pytest
import torch

from ftcli.components.head import Linear
from ftcli.engine.build import build_network
from ftcli.engine.freeze import apply_mask, enter_train_mode
from ftcli.engine.network import Network
from ftcli.planner.compile import compile_plan
from ftcli.plans.data_facts import DataFacts
from ftcli.plans.layer_map import HEAD
from ftcli.plans.phase import Phase
from ftcli.plans.training_plan import Machine
from ftcli.recipe.schema import Recipe
from tests.contracts import promises
from tests.contracts.promises import CLASSES

IMAGE_SIZE = {
    "torchvision/resnet18": 32,
    "torchvision/efficientnet_b0": 32,
    "torchvision/mobilenet_v2": 32,
    "torchvision/mobilenet_v3_small": 32,
    "torchvision/densenet121": 32,
    "torchvision/convnext_tiny": 32,
    "torchvision/vit_b_32": 64,
    "torchvision/swin_t": 32,
    "torchvision/mnasnet0_5": 32,
    "torchvision/shufflenet_v2_x0_5": 32,
    "torchvision/regnet_x_400mf": 32,
    "torchvision/alexnet": 64,
    "torchvision/vgg11_bn": 32,
    "torchvision/googlenet": 32,
    "torchvision/inception_v3": 75,
    "torchvision/squeezenet1_1": 32,
    "torchvision/maxvit_t": 224,
    "timm/test_resnet": 32,
    "timm/test_efficientnet": 32,
    "timm/mobilenetv2_050": 32,
    "timm/mobilenetv3_small_050": 32,
    "timm/densenet121": 32,
    "timm/test_convnext": 32,
    "timm/test_vit": 32,
    "timm/swin_s3_tiny_224": 32,
    "timm/test_byobnet": 32,
    "timm/cait_xxs24_224": 64,
    "timm/convformer_s18": 32,
    "timm/crossvit_tiny_240": 240,
    "timm/csatv2": 512,
    "timm/deit_tiny_distilled_patch16_224": 64,
    "timm/dla46_c": 32,
    "timm/eca_nfnet_l0": 32,
    "timm/edgenext_xx_small": 64,
    "timm/efficientformer_l1": 224,
    "timm/efficientformerv2_s0": 224,
    "timm/efficientvim_m1_dist": 224,
    "timm/fastvit_t8": 64,
    "timm/ghostnet_050": 32,
    "timm/gmixer_24_224": 224,
    "timm/hrnet_w18_small": 64,
    "timm/iformer_m_distilled": 224,
    "timm/inception_v4": 75,
    "timm/levit_128s": 224,
    "timm/mixer_s32_224": 224,
    "timm/mobilevit_xxs": 64,
    "timm/pit_ti_distilled_224": 64,
    "timm/poolformer_s12": 32,
    "timm/pvt_v2_b0": 64,
    "timm/rdnet_tiny": 32,
    "timm/regnetx_002": 32,
    "timm/repvit_m0_9": 64,
    "timm/resnetv2_18": 32,
    "timm/rexnet_100": 32,
    "timm/selecsls42": 64,
    "timm/swiftformer_xs": 224,
    "timm/tiny_vit_5m_224": 224,
    "timm/tresnet_m": 64,
    "timm/vgg11": 32,
    "timm/visformer_tiny": 224,
    "timm/volo_d1_224": 224,
    "timm/xception41": 64,
    "timm/xcit_nano_12_p16_224": 64,
}
"""A small model of each family, and pixels that are enough for it."""

SLOW = {
    "torchvision/mnasnet0_5",
    "torchvision/shufflenet_v2_x0_5",
    "torchvision/regnet_x_400mf",
    "torchvision/alexnet",
    "torchvision/vgg11_bn",
    "torchvision/maxvit_t",
    "timm/convformer_s18",
    "timm/csatv2",
    "timm/densenet121",
    "timm/eca_nfnet_l0",
    "timm/edgenext_xx_small",
    "timm/efficientformer_l1",
    "timm/efficientformerv2_s0",
    "timm/fastvit_t8",
    "timm/ghostnet_050",
    "timm/gmixer_24_224",
    "timm/hrnet_w18_small",
    "timm/iformer_m_distilled",
    "timm/inception_v4",
    "timm/mixer_s32_224",
    "timm/mobilevit_xxs",
    "timm/pvt_v2_b0",
    "timm/rdnet_tiny",
    "timm/regnetx_002",
    "timm/rexnet_100",
    "timm/selecsls42",
    "timm/swiftformer_xs",
    "timm/tiny_vit_5m_224",
    "timm/tresnet_m",
    "timm/vgg11",
    "timm/visformer_tiny",
    "timm/volo_d1_224",
    "timm/xception41",
}
"""Large, or of the less usual families: computed with in the slow tests only."""

SLOW_TO_CUT = SLOW | {
    "timm/crossvit_tiny_240",
    "timm/cait_xxs24_224",
    "timm/efficientvim_m1_dist",
    "timm/levit_128s",
    "timm/poolformer_s12",
    "timm/resnetv2_18",
    "timm/swin_s3_tiny_224",
    "timm/xcit_nano_12_p16_224",
    "torchvision/convnext_tiny",
    "torchvision/densenet121",
    "torchvision/googlenet",
    "torchvision/inception_v3",
    "torchvision/swin_t",
    "torchvision/vit_b_32",
    "timm/repvit_m0_9",
}
"""Computed with twenty times for that; tests/engine/test_cut has the like of them."""


def every(slow: Collection[str] = ()) -> pytest.MarkDecorator:
    """By module: pytest then runs all the tests of one backbone before those of the next."""
    params = [pytest.param(name, marks=pytest.mark.slow if name in slow else ()) for name in IMAGE_SIZE]
    return pytest.mark.parametrize("backbone", params, scope="module")


EVERY, COMPUTED, CUT = every(), every(SLOW), every(SLOW_TO_CUT)


@lru_cache(maxsize=2)
def opened(backbone: str, meta: bool) -> Network:
    size = IMAGE_SIZE[backbone]
    return build_network(backbone, "none", Linear(), CLASSES, image_size=size, seed=0, meta=meta)


def image_batch(backbone: str) -> torch.Tensor:
    size = IMAGE_SIZE[backbone]
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))


@EVERY
def test_it_opens_without_values(backbone: str) -> None:
    promises.it_opens_without_values(opened(backbone, meta=True))


@EVERY
def test_every_tensor_has_its_layer(backbone: str) -> None:
    promises.every_tensor_has_its_layer(opened(backbone, meta=True))


@EVERY
def test_layers_run_from_the_stem_to_the_head(backbone: str) -> None:
    promises.layers_run_from_the_stem_to_the_head(opened(backbone, meta=True))


@EVERY
def test_the_head_is_the_new_module_and_nothing_else(backbone: str) -> None:
    promises.the_head_is_the_new_modules_and_nothing_else(opened(backbone, meta=True))


@EVERY
def test_only_containers_of_several_layers_have_none(backbone: str) -> None:
    network = opened(backbone, meta=True)
    layer_of = {p.name: p.layer for p in network.layer_map.parameters}
    for name, module in network.model.named_modules():
        below = {layer_of[f"{name}.{field}".strip(".")] for field, _ in module.named_parameters()}
        if name in network.module_layers:
            assert below <= {network.module_layers[name]}
        else:
            assert len(below) > 1


@COMPUTED
def test_layers_compute_in_their_order(backbone: str) -> None:
    promises.layers_compute_in_their_order(opened(backbone, meta=False), image_batch(backbone))


@COMPUTED
def test_it_classifies_and_every_parameter_gets_a_gradient(backbone: str) -> None:
    promises.it_classifies_and_every_parameter_gets_a_gradient(
        opened(backbone, meta=False), image_batch(backbone)
    )


@COMPUTED
def test_meta_and_real_agree(backbone: str) -> None:
    promises.meta_and_real_agree(opened(backbone, meta=True), opened(backbone, meta=False))


@CUT
def test_a_cut_is_right_and_never_refused(backbone: str) -> None:
    network = opened(backbone, meta=False)
    copy = replace(network, model=deepcopy(network.model))
    assert promises.a_cut_is_right_or_refused(copy) == []


@COMPUTED
def test_a_phase_change(backbone: str) -> None:
    """While the head trains alone nothing else moves, no buffer either; then everything may."""
    torch.manual_seed(0)
    network = replace(opened(backbone, meta=False), model=deepcopy(opened(backbone, meta=False).model))
    only_head, all_of_it = phases(network)
    head = {p.name for p in network.layer_map.in_stages([HEAD])}
    assert step(network, only_head, image_batch(backbone)) == (head, head)
    with_gradients, moved = step(network, all_of_it, image_batch(backbone))
    assert with_gradients == set(network.layer_map.by_name)
    statistics = {buffer for norm in network.layer_map.batch_norms for buffer in norm.buffers}
    assert statistics <= moved
    assert moved & with_gradients - head


def phases(network: Network) -> tuple[Phase, ...]:
    model = {"backbone": network.backbone, "weights": "none"}
    recipe = Recipe.model_validate({"data": "digits", "model": model, "strategy": "lp_ft"})
    classes = tuple(str(number) for number in range(CLASSES))
    facts = DataFacts(classes, 100, network.preprocessing)
    return compile_plan(recipe, network.layer_map, facts, Machine("cpu")).phases


def step(network: Network, phase: Phase, images: torch.Tensor) -> tuple[set[str], set[str]]:
    """One of training. Which parameters got gradients, and which tensors moved."""
    before = {name: tensor.clone() for name, tensor in network.model.state_dict().items()}
    apply_mask(network.model, phase.mask)
    enter_train_mode(network, phase)
    network.model(images).square().sum().backward()
    with_gradients = {name for name, p in network.model.named_parameters() if p.grad is not None}
    torch.optim.SGD([p for p in network.model.parameters() if p.requires_grad], lr=0.1).step()
    after = network.model.state_dict()
    return with_gradients, {name for name in before if not torch.equal(before[name], after[name])}
