"""The card of a backbone."""

from __future__ import annotations

import json

import pytest

from ftcli.errors import ModelError
from ftcli.workflows.backbone_card import describe_backbone


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


def test_the_card_of_an_architecture_of_transformers() -> None:
    pytest.importorskip("transformers")
    card = describe_backbone("hf/resnet")
    assert [stage.layers for stage in card.stages] == [1, 3, 4, 6, 3]
    assert (card.heads, card.features, card.weights) == (("classifier.1",), 2048, None)
