"""Adapters in a network: it computes as before, keeps its class, and every tensor has its place in the map."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ftcli.components.head import Linear
from ftcli.engine.build import build_network
from ftcli.engine.inputs import noise, ready
from ftcli.engine.network import Network
from ftcli.engine.peft_layers import with_adapters
from ftcli.engine.peft_merge import merge_into, parity
from ftcli.errors import RecipeError
from ftcli.plans.peft_adapters import Adapters
from tests.text_models import new_text_network
from tests.toys import RESNET, VIT

pytest.importorskip("peft")

LORA = Adapters("lora", {"r": 4, "lora_alpha": 8})


def built(backbone: str, meta: bool = False) -> Network:
    if backbone == "hf/vit":
        pytest.importorskip("transformers")
        return build_network(backbone, "none", Linear(), 3, image_size=32, seed=0, meta=meta, config=HF_VIT)
    if not backbone.startswith("timm/"):
        pytest.importorskip("transformers")
        return new_text_network(backbone, meta=meta)
    return build_network(backbone, "none", Linear(), 3, image_size=None, seed=0, meta=meta)


def logits(network: Network) -> torch.Tensor:
    network.model.eval()
    with torch.no_grad():
        return network.model(ready(noise(network.preprocessing, 3), network.preprocessing))


HF_VIT: dict[str, Any] = {
    "model_type": "vit",
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
"""An image encoder of transformers, by its config alone."""
NETWORKS = [VIT, "hf/vit", RESNET, "bert", "albert", "distilbert", "modernbert", "roberta", "t5"]


@pytest.mark.parametrize("backbone", NETWORKS)
def test_it_computes_as_before_and_is_what_it_was(backbone: str) -> None:
    network = built(backbone)
    kind, before = type(network.model), logits(network)
    adapted = with_adapters(network, LORA, seed=0)
    assert type(adapted.model) is kind
    assert torch.equal(logits(adapted), before)


@pytest.mark.parametrize("backbone", NETWORKS)
def test_every_parameter_is_in_the_layer_that_it_works_in(backbone: str) -> None:
    network = built(backbone)
    before = network.layer_map
    after = with_adapters(network, LORA, seed=0).layer_map
    assert after.layers == before.layers
    assert [p.name for p in after.parameters] == [name for name, _ in network.model.named_parameters()]
    own = {p.name.replace(".base_layer.", "."): p for p in after.parameters if not p.is_adapter}
    assert own.keys() == before.by_name.keys()
    for name, parameter in own.items():
        assert (parameter.layer, parameter.is_norm) == (
            before.by_name[name].layer,
            before.by_name[name].is_norm,
        )
    for parameter in after.parameters:
        if parameter.is_adapter:
            owner = parameter.name.partition(".lora_")[0]
            assert parameter.layer == after.by_name[f"{owner}.base_layer.weight"].layer
            assert parameter.stage != "head"


@pytest.mark.parametrize("backbone", [VIT, RESNET, "bert"])
def test_without_weights_it_is_the_same_network(backbone: str) -> None:
    real, meta = (with_adapters(built(backbone, meta), LORA, seed=0) for meta in (False, True))
    assert real.layer_map == meta.layer_map
    assert real.adapters == meta.adapters
    assert all(parameter.is_meta for parameter in meta.model.parameters())


def test_what_is_random_follows_the_seed_and_leaves_the_generator() -> None:
    torch.manual_seed(5)
    states = [with_adapters(built(VIT), LORA, seed).model.state_dict() for seed in (1, 1, 2)]
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(1))
    name = "blocks.0.attn.qkv.lora_A.default.weight"
    assert torch.equal(states[0][name], states[1][name])
    assert not torch.equal(states[0][name], states[2][name])


@pytest.mark.parametrize("settings", [{"use_dora": True}, {"use_rslora": True}])
def test_its_variants(settings: dict[str, Any]) -> None:
    network = built(VIT)
    before = logits(network)
    adapted = with_adapters(network, Adapters("lora", {"r": 4, "lora_alpha": 8, **settings}), seed=0)
    torch.testing.assert_close(logits(adapted), before, rtol=1e-5, atol=1e-6)
    vectors = [p for p in adapted.layer_map.parameters if "magnitude" in p.name]
    assert bool(vectors) == ("use_dora" in settings)
    assert not any(p.decays for p in vectors)


IA3 = Adapters("ia3", {}, ("attn.qkv", "mlp.fc2"), None, ("mlp.fc2",))


def test_vectors_that_scale() -> None:
    """They start from 1, and no decay draws them to 0, though PEFT writes them as (1, D) and (D, 1)."""
    network = built(VIT)
    before = logits(network)
    adapted = with_adapters(network, IA3, seed=0)
    assert torch.equal(logits(adapted), before)
    vectors = [p for p in adapted.layer_map.parameters if p.is_adapter]
    assert {p.shape for p in vectors} == {(192, 1), (1, 192)}
    assert not any(p.decays for p in vectors)
    assert adapted.adapters is not None
    assert len(adapted.adapters.inputs) == 6
    assert Adapters.from_dict(adapted.adapters.to_dict()) == adapted.adapters
    with pytest.raises(TypeError, match="weights in fp4"):
        Adapters.from_dict(adapted.adapters.to_dict() | {"quantize": "fp4"})


def test_what_peft_cannot_adapt() -> None:
    with pytest.raises(RecipeError) as caught:
        with_adapters(built(VIT), Adapters("lora", {"r": 4}, ("norm1",)), seed=0)
    (problem,) = caught.value.problems
    assert problem.path == "strategy.target_modules"
    assert "LayerNorm" in problem.message


@pytest.mark.parametrize("backbone", [VIT, "hf/vit", RESNET, "bert", "albert", "roberta"])
@pytest.mark.parametrize("adapters", [LORA, Adapters("ia3", {})], ids=["lora", "ia3"])
def test_folded_into_the_weights(backbone: str, adapters: Adapters) -> None:
    """Whatever has been learned, the network without adapters gives the same logits, but for rounding."""
    network = built(backbone)
    before = logits(network)
    adapted = with_adapters(network, adapters, seed=0)
    moved = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in adapted.layer_map.parameters:
            if parameter.is_adapter:
                tensor = network.model.get_parameter(parameter.name)
                tensor.add_(torch.randn(tensor.shape, generator=moved), alpha=0.1)
    plain = built(backbone)
    merge_into(plain, adapted)
    found = parity(logits(adapted), logits(plain))
    assert found.relative < 1e-5
    assert plain.model.state_dict().keys() == built(backbone, meta=True).model.state_dict().keys()
    assert not torch.allclose(logits(plain), before, atol=1e-4)
