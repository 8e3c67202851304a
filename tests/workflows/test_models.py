"""The list of backbones and the card of one."""

from __future__ import annotations

import json
import sys

import pytest

from ftcli.errors import ModelError, UsageError
from ftcli.workflows.models import describe_backbone, list_backbones


def names(*arguments: str | None) -> list[str]:
    return [backbone.name for backbone in list_backbones(*arguments)]


def test_both_sources_are_listed() -> None:
    listed = names()
    assert "torchvision/resnet18" in listed
    assert "timm/tf_efficientnet_lite0" in listed
    assert len(set(listed)) == len(listed)


def test_one_source() -> None:
    assert {name.partition("/")[0] for name in names(None, "timm")} == {"timm"}


@pytest.mark.parametrize("pattern", ["vit_b_", "vit_b_*", "torchvision/vit_b_??"])
def test_a_part_of_the_name_or_wildcards(pattern: str) -> None:
    assert names(pattern, "torchvision") == ["torchvision/vit_b_16", "torchvision/vit_b_32"]


def test_the_default_weights_are_named() -> None:
    weights = {backbone.name: backbone.weights for backbone in list_backbones("resnet50")}
    assert weights["torchvision/resnet50"] == "IMAGENET1K_V2"
    assert weights["timm/cspresnet50d"] is None


def test_what_is_not_there() -> None:
    with pytest.raises(UsageError) as caught:
        list_backbones("resnt18")
    assert "resnet18" in (caught.value.remedy or "")
    with pytest.raises(UsageError, match="no source"):
        list_backbones(None, "hub")


def test_the_card_of_resnet18() -> None:
    card = describe_backbone("torchvision/resnet18")
    assert card.parameters == 11_176_512 == sum(stage.parameters for stage in card.stages)
    assert [stage.name for stage in card.stages] == ["stem", "layer1", "layer2", "layer3", "layer4"]
    assert [stage.layers for stage in card.stages] == [1, 2, 2, 2, 2]
    assert [stage.batch_norms for stage in card.stages] == [1, 4, 5, 5, 5]
    assert (card.heads, card.features) == (("fc",), 512)
    assert (card.weights, card.tags) == ("ResNet18_Weights.IMAGENET1K_V1 of torchvision", ("IMAGENET1K_V1",))


def test_a_card_is_json() -> None:
    card = json.loads(json.dumps(describe_backbone("timm/test_vit").to_dict()))
    assert card["preprocessing"]["image_size"] == 160


def test_a_card_without_weights() -> None:
    assert describe_backbone("timm/cspresnet50d").weights is None


def test_no_card_for_what_cannot_be_fine_tuned() -> None:
    with pytest.raises(ModelError):
        describe_backbone("torchvision/lenet")


def test_types_of_transformers_are_listed_without_weights() -> None:
    pytest.importorskip("transformers")
    listed = {backbone.name: backbone.weights for backbone in list_backbones(None, "hf")}
    assert {"hf/vit", "hf/resnet", "hf/convnextv2", "hf/dinov2"} <= set(listed)
    assert set(listed.values()) == {None}
    assert set(listed) < set(names())


def test_without_transformers_its_models_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert {name.partition("/")[0] for name in names()} == {"torchvision", "timm"}
    with pytest.raises(ModelError) as caught:
        list_backbones(None, "hf")
    assert caught.value.remedy == "pip install 'ftcli[hf]'"


def test_the_card_of_an_architecture_of_transformers() -> None:
    pytest.importorskip("transformers")
    card = describe_backbone("hf/resnet")
    assert [stage.layers for stage in card.stages] == [1, 3, 4, 6, 3]
    assert (card.heads, card.features, card.weights) == (("classifier.1",), 2048, None)
