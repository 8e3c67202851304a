"""Which modules get an adapter: by their types, by names, and what is said where nothing matches."""

from __future__ import annotations

from typing import Any

import pytest

from ftcli.components.head import Linear
from ftcli.engine.build import build_network
from ftcli.engine.network import Network
from ftcli.engine.peft_targets import targets_of
from ftcli.errors import RecipeError
from ftcli.plans.peft_adapters import Adapters
from tests.text_models import text_network
from tests.toys import EFFICIENTNET, RESNET, VIT


def built(backbone: str, meta: bool = False) -> Network:
    return build_network(backbone, "none", Linear(), 3, image_size=None, seed=0, meta=meta)


def found(network: Network, *names: str, from_stage: str | None = None) -> tuple[str, ...]:
    return targets_of(network, Adapters("lora", {}, names or None, from_stage))


def problem(network: Network, *names: str, **options: Any) -> tuple[str, str, str]:
    with pytest.raises(RecipeError) as caught:
        found(network, *names, **options)
    (told,) = caught.value.problems
    return told.path, told.message, told.remedy or ""


def test_linear_layers_of_a_vision_transformer() -> None:
    names = found(built(VIT))
    assert {name.split(".", 2)[2] for name in names} == {"attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"}
    assert len(names) == 6 * 4


def test_dense_convolutions_of_a_convolutional_network() -> None:
    network = built(RESNET)
    names = found(network)
    modules = [network.model.get_submodule(name) for name in names]
    assert {module.kernel_size for module in modules} == {(1, 1), (3, 3)}
    assert not any(name.startswith(("conv1", "fc")) for name in names)
    assert {name.partition(".")[0] for name in names} == set(network.layer_map.backbone_stages[1:])


def test_not_its_depthwise_ones() -> None:
    network = built(EFFICIENTNET)
    assert all(network.model.get_submodule(name).groups == 1 for name in found(network))


@pytest.mark.parametrize("family", ["albert", "bert", "distilbert", "modernbert", "t5", "deberta"])
@pytest.mark.parametrize("meta", [False, True])
def test_linear_layers_of_a_text_encoder(family: str, meta: bool) -> None:
    pytest.importorskip("transformers")
    network = text_network(family, meta=meta)
    names = found(network)
    stages = {network.layer_map.layers[network.module_layers[name]].stage for name in names}
    blocks = {stage for stage in network.layer_map.stages if stage.startswith("layer.")}
    assert blocks <= stages <= blocks | {"pooler"}


def test_by_name_and_from_a_stage_on() -> None:
    network = built(VIT)
    assert len(found(network, "qkv")) == 6
    assert found(network, "qkv", "attn.proj", from_stage="blocks.5") == (
        "blocks.5.attn.qkv",
        "blocks.5.attn.proj",
    )
    assert found(network, "blocks.2.mlp.fc1") == ("blocks.2.mlp.fc1",)


def test_no_such_name() -> None:
    path, what, names = problem(built(VIT), "qkv", "q_proj")
    assert (path, what) == ("strategy.target_modules[1]", "'q_proj' matches no module of timm/test_vit")
    assert names == "names there are: qkv, proj, fc1, fc2"


def test_the_head_is_no_target() -> None:
    _, what, _ = problem(built(VIT), "head")
    assert what == "'head' is in the head, which trains whole"


def test_a_module_whose_weights_are_read_past_it() -> None:
    """torch's MultiheadAttention never calls its output projection: an adapter there would do nothing."""
    network = built("torchvision/vit_b_16", meta=True)
    _, what, names = problem(network, "out_proj")
    assert "its weights are read past it" in what
    assert names == "names there are: mlp.0, mlp.3"
    assert {name.split(".", 3)[3] for name in found(network)} == {"mlp.0", "mlp.3"}


def test_no_such_stage() -> None:
    path, what, nearest = problem(built(VIT), from_stage="block.5")
    assert (path, what) == ("strategy.from_stage", "'block.5' matches no stage of timm/test_vit")
    assert "blocks.5" in nearest


def test_modes_are_as_they_were() -> None:
    network = built(RESNET)
    network.model.train()
    before = {name: tensor.clone() for name, tensor in network.model.state_dict().items()}
    found(network)
    assert all(module.training for module in network.model.modules())
    assert all((before[name] == tensor).all() for name, tensor in network.model.state_dict().items())
