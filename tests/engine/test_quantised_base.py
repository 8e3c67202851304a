"""A base in 4 bits: which layers are in it, that all else is as it was, and what is said where there can be none."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ftcli.components.backbone import is_below
from ftcli.engine.network import Network
from ftcli.engine.peft_layers import with_adapters
from ftcli.engine.peft_merge import merge_into, parity
from ftcli.engine.placement import place
from ftcli.engine.quantised_base import FullWeights, must_compute, packed_layers, quantise
from ftcli.engine.training_flops import step_flops
from ftcli.errors import ModelError, RecipeError
from tests.engine.test_peft_layers import LORA, built, logits
from tests.text_models import new_text_network
from tests.toys import RESNET, VIT

bitsandbytes = pytest.importorskip("bitsandbytes")
pytest.importorskip("peft")

NF4 = replace(LORA, quantize="nf4")
_BERT = {"hidden_size": 64, "intermediate_size": 128}
WIDE: dict[str, dict[str, Any]] = {
    "albert": _BERT | {"embedding_size": 64},
    "bert": _BERT,
    "deberta-v2": _BERT,
    "distilbert": {"dim": 64, "hidden_dim": 128},
    "modernbert": _BERT,
    "t5": {"d_model": 64, "d_kv": 32, "d_ff": 128},
}
FAMILIES = [VIT, *WIDE]


def wide(backbone: str, meta: bool = False) -> Network:
    """With rows of whole blocks."""
    return (
        built(backbone, meta) if "/" in backbone else new_text_network(backbone, meta=meta, **WIDE[backbone])
    )


def quantised(backbone: str, meta: bool = False, **settings: Any) -> Network:
    asked = replace(NF4, settings={**NF4.settings, **settings})
    return with_adapters(wide(backbone, meta), asked, seed=0)


@pytest.mark.parametrize("backbone", FAMILIES)
def test_logits_are_near_and_not_the_same(backbone: str) -> None:
    network = wide(backbone)
    before = logits(network)
    made = with_adapters(network, NF4, seed=0)
    place(made.model, "cpu")
    difference = (logits(made) - before).abs().max() / before.abs().max()
    assert 1e-5 < difference < 0.4


@pytest.mark.parametrize("backbone", FAMILIES)
def test_frozen_linear_layers_alone_are_packed(backbone: str) -> None:
    plain, made = wide(backbone), quantised(backbone)
    packed = {name.removesuffix(".base_layer") for name in packed_layers(made.model)}
    linear = {
        name
        for name, module in plain.model.named_modules()
        if type(module) is nn.Linear and not is_below(name, plain.head_modules)
    }
    assert packed <= linear
    assert {name.rpartition(".")[2] for name in linear - packed} == ({"wo"} if backbone == "t5" else set())
    after = made.model.state_dict()
    for name, tensor in plain.model.state_dict().items():
        owner, _, field = name.rpartition(".")
        if owner in packed and field == "weight":
            continue
        now = after.get(name, after.get(f"{owner}.base_layer.{field}"))
        assert torch.equal(now, tensor), name


@pytest.mark.parametrize("backbone", [VIT, "bert"])
def test_the_map_counts_weights_not_bytes(backbone: str) -> None:
    plain, made = wide(backbone).layer_map, quantised(backbone).layer_map
    shapes = {p.name.replace(".base_layer.", "."): p.shape for p in made.parameters if not p.is_adapter}
    assert shapes == {p.name: p.shape for p in plain.parameters}
    scales = {name for name, _ in made.buffers if name.endswith(".nf4_absmax")}
    assert len(scales) == len(packed_layers(quantised(backbone).model))


@pytest.mark.parametrize("backbone", [VIT, "bert", "deberta-v2"])
def test_without_weights_it_is_the_same_network(backbone: str) -> None:
    real, meta = quantised(backbone), quantised(backbone, meta=True)
    assert real.layer_map == meta.layer_map
    assert real.quantised == meta.quantised
    assert all(tensor.is_meta for tensor in (*meta.model.parameters(), *meta.model.buffers()))


def test_what_it_takes_is_measured() -> None:
    network = built(VIT)
    before = sum(t.nbytes for name, t in network.model.state_dict().items() if not name.startswith("head"))
    base = quantise(network)
    after = sum(t.nbytes for name, t in network.model.state_dict().items() if not name.startswith("head"))
    assert (base.before, base.after) == (before, after)
    assert base.layers == len(packed_layers(network.model))
    assert before - after == pytest.approx(base.weights * (4 - 0.5 - 4 / 64), rel=1e-3)


def test_a_training_step_is_counted_as_before() -> None:
    plain, packed = with_adapters(built(VIT, True), LORA, seed=0), quantised(VIT, meta=True)
    names = frozenset(p.name for p in plain.layer_map.parameters if p.is_adapter or p.stage == "head")
    assert step_flops(plain, names) == step_flops(packed, names)


def test_tied_weights_stay() -> None:
    network = wide("bert")
    first, second = (network.model.get_submodule(f"bert.encoder.layer.{n}.output.dense") for n in (0, 1))
    second.weight = first.weight
    quantise(network)
    packed = packed_layers(network.model)
    assert "bert.encoder.layer.2.output.dense" in packed
    assert not {f"bert.encoder.layer.{n}.output.dense" for n in (0, 1)} & packed.keys()


@pytest.mark.parametrize("settings", [{}, {"use_dora": True}, {"use_rslora": True}])
def test_folded_weights_are_the_rounded_ones_and_the_adapters(settings: dict[str, Any]) -> None:
    """A network of plain layers, which differs by the rounding of sums alone."""
    apart = quantised("bert", **settings)
    torch.manual_seed(1)
    for name, parameter in apart.model.named_parameters():
        if ".lora_B." in name:
            parameter.data.normal_(0, 0.3)
    plain = wide("bert")
    before = plain.model.state_dict()["bert.encoder.layer.0.output.dense.weight"].clone()
    merge_into(plain, apart)
    found = parity(logits(apart), logits(plain))
    assert 0 < found.relative < 1e-5
    assert not packed_layers(plain.model)
    assert not torch.equal(before, plain.model.state_dict()["bert.encoder.layer.0.output.dense.weight"])


def test_full_weights_are_a_state_dict_without_scales() -> None:
    network = wide("bert")
    names = network.model.state_dict().keys()
    quantise(network)
    full = FullWeights(network.model)
    assert set(full) == set(names)
    assert len(full) == len(names)
    wide("bert").model.load_state_dict(dict(full))


@pytest.mark.parametrize(("backbone", "there"), [(RESNET, "Conv2d"), ("hf/bert", "Linear")])
def test_a_network_with_nothing_to_pack_is_named(backbone: str, there: str) -> None:
    """One of convolutions; one whose rows are shorter than a block."""
    with pytest.raises(RecipeError) as caught:
        quantise(built(backbone.removeprefix("hf/")))
    (problem,) = caught.value.problems
    assert problem.path == "strategy.quantize"
    assert problem.message.startswith(
        f"{backbone} has no linear layer of a multiple of 64 inputs below its head"
    )
    assert f" {there}" in problem.message
    assert (" Linear" in problem.message) == (there == "Linear"), "the head is none of them"


@pytest.fixture
def unloaded(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """As if bitsandbytes had not been imported yet."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "bitsandbytes"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "ftcli.engine.linear4bit", raising=False)
    return monkeypatch


def test_without_the_package(unloaded: pytest.MonkeyPatch) -> None:
    unloaded.setitem(sys.modules, "bitsandbytes", None)  # as Python does for a package that is not there
    with pytest.raises(ModelError, match="4 bits needs the package bitsandbytes") as caught:
        quantise(wide("bert"))
    assert (caught.value.where, caught.value.remedy) == ("strategy.quantize", "pip install 'ftcli[qlora]'")


@pytest.mark.parametrize(
    "code",
    ["raise OSError('libcudart.so.13: cannot open shared object file')", "from math import nothing"],
)
def test_a_package_that_cannot_be_loaded(code: str, unloaded: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bitsandbytes.py").write_text(code)
    unloaded.syspath_prepend(tmp_path)
    with pytest.raises(
        ModelError, match="bitsandbytes, which a base in 4 bits needs, cannot be loaded: "
    ) as caught:
        quantise(wide("bert"))
    assert "--force-reinstall bitsandbytes" in (caught.value.remedy or "")


def test_a_device_that_the_library_cannot_compute_on(monkeypatch: pytest.MonkeyPatch) -> None:
    made = quantised("bert")
    must_compute(made.model)

    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("no kernel image\nis available")

    monkeypatch.setattr(bitsandbytes, "matmul_4bit", refuse)
    with pytest.raises(ModelError, match=r"cannot compute on cpu: no kernel image$") as caught:
        must_compute(made.model)
    assert caught.value.where == "strategy.quantize"


@pytest.mark.parametrize("field", ["_keep_in_fp32_modules", "_keep_in_fp32_modules_strict"])
@pytest.mark.parametrize("declared", ["query", "self.query", "attention.self.query.weight"])
def test_what_an_architecture_declares_stays_in_fp32(field: str, declared: str) -> None:
    """By a name, or by a part of a path; `lf.query` is none."""
    network = wide("bert")
    setattr(network.model, field, [declared, "lf.key"])
    packed = packed_layers(with_adapters(network, NF4, seed=0).model)
    names = {name.removesuffix(".base_layer") for name in packed}
    assert names
    assert not any(name.endswith(".query") for name in names)
    assert any(name.endswith(".key") for name in names)
