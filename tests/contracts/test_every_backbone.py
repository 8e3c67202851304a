"""Every architecture of torchvision and of timm, on the meta device: what opens keeps its promises.

A sample is checked by default: one of each family, and every so many of the rest. All of them are slow tests.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import timm as timms_own
import torch
from timm.models import model_entrypoint

from ftcli.components.backbone import open_backbone, source
from ftcli.components.head import Linear
from ftcli.engine.build import build_network
from ftcli.errors import ModelError
from tests.contracts import promises
from tests.contracts.promises import CLASSES

EVERY_SO_MANY = 100
LARGEST_COMPUTED = 60_000_000
"""Parameters of a network that is computed with, not only opened."""
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
    network = build_network(backbone, "none", Linear(), CLASSES, image_size=None, seed=0, meta=True)
    promises.every_tensor_has_its_layer(network)
    promises.layers_run_from_the_stem_to_the_head(network)
    promises.the_head_is_the_new_modules_and_nothing_else(network)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", EVERY)
def test_layers_compute_in_their_order_and_get_gradients(backbone: str) -> None:
    network = build_network(backbone, "none", Linear(), CLASSES, image_size=None, seed=0, meta=True)
    size = network.preprocessing.image_size
    network.model.train()
    seen, logits = promises.watched(network, torch.empty(2, 3, size, size, device="meta"))
    assert logits.shape == (2, CLASSES)
    assert seen == list(range(len(network.layer_map.layers)))
    logits.sum().backward()
    assert not [name for name, p in network.model.named_parameters() if p.grad is None]


@pytest.mark.slow
@pytest.mark.parametrize("backbone", EVERY)
def test_a_cut_is_right_or_refused(backbone: str) -> None:
    """On real tensors, of random values."""
    meta = build_network(backbone, "none", Linear(), CLASSES, image_size=None, seed=0, meta=True)
    if sum(parameter.numel for parameter in meta.layer_map.parameters) > LARGEST_COMPUTED:
        pytest.skip("too large to compute with")
    promises.a_cut_is_right_or_refused(
        build_network(backbone, "none", Linear(), CLASSES, image_size=None, seed=0)
    )


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
