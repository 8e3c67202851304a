"""torchvision's models by name: weights, sizes, refusals."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torchvision.models as zoo

from ftcli.components.backbone import open_backbone, source, torchvision
from ftcli.errors import ModelError


def refusal(*arguments: object, **options: object) -> ModelError:
    with pytest.raises(ModelError) as caught:
        open_backbone(*arguments, **options)  # type: ignore[arg-type]
    assert caught.value.exit_code == 5
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize("name", torchvision.names())
def test_every_listed_model_is_of_a_known_family(name: str) -> None:
    model_class = next(
        c for c in torchvision.FAMILIES if c.__module__ == zoo.get_model_builder(name).__module__
    )
    assert issubclass(model_class, torch.nn.Module)


def test_a_name_without_its_source() -> None:
    assert refusal("resnet18").remedy == "write torchvision/resnet18 or timm/resnet18"


def test_an_unknown_name_is_told_the_nearest() -> None:
    assert "torchvision/resnet18" in (refusal("torchvision/resnet81").remedy or "")


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_weights_change_values_and_nothing_else(name: str, tmp_path: Path) -> None:
    """torchvision shifts the input, and drops the auxiliary classifiers, of itself only where it loads weights."""
    published = zoo.get_model(name, weights=None, aux_logits=True, init_weights=False, transform_input=True)
    torch.save(published.state_dict(), tmp_path / "w.pth")
    opened = open_backbone(f"torchvision/{name}", str(tmp_path / "w.pth")).model.eval()
    random = open_backbone(f"torchvision/{name}", "none", meta=True).model
    assert opened.transform_input
    assert random.state_dict().keys() == opened.state_dict().keys()
    assert not any("aux" in tensor.lower() for tensor in opened.state_dict())
    opened.fc.load_state_dict(published.fc.state_dict())
    images = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        assert torch.equal(opened(images), published.eval()(images))


def test_preprocessing_is_that_of_the_weights() -> None:
    images = torchvision.preprocessing("efficientnet_b3")
    assert (images.resize_size, images.image_size, images.interpolation) == (320, 300, "bicubic")
    assert torchvision.preprocessing("efficientnet_v2_l").mean == (0.5, 0.5, 0.5)


def test_preprocessing_keeps_its_margin_at_another_size() -> None:
    images = open_backbone("torchvision/resnet18", "none", 112, meta=True).preprocessing
    assert (images.resize_size, images.image_size) == (128, 112)


def test_a_tag_names_the_weights() -> None:
    opened = open_backbone("torchvision/resnet50.IMAGENET1K_V1", meta=True)
    assert opened.weights == "ResNet50_Weights.IMAGENET1K_V1 of torchvision"
    assert opened.preprocessing.resize_size == 256
    assert open_backbone("torchvision/resnet50", meta=True).preprocessing.resize_size == 232
    assert "torchvision/resnet50.IMAGENET1K_V1" in (
        refusal("torchvision/resnet50.IMAGENET1K_V3").remedy or ""
    )


def test_default_weights_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    published = zoo.resnet18()
    monkeypatch.setattr(zoo.WeightsEnum, "get_state_dict", lambda *_, **__: published.state_dict())
    opened = open_backbone("torchvision/resnet18")
    assert opened.weights == "ResNet18_Weights.IMAGENET1K_V1 of torchvision"
    for name, tensor in opened.model.state_dict().items():
        assert torch.equal(tensor, published.state_dict()[name])


def test_a_download_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise URLError("Name or service not known")

    monkeypatch.setattr(zoo.WeightsEnum, "get_state_dict", offline)
    error = refusal("torchvision/resnet18")
    assert "ResNet18_Weights.IMAGENET1K_V1" in error.what
    assert "Name or service not known" in error.what


def test_no_default_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo, "get_model_weights", lambda name: Enum("NoWeights", []))
    assert "no pretrained weights" in refusal("torchvision/resnet18", meta=True).what


def test_random_weights_come_from_the_callers_generator() -> None:
    torch.manual_seed(3)
    first = open_backbone("torchvision/shufflenet_v2_x0_5", "none")
    torch.manual_seed(3)
    second = open_backbone("torchvision/shufflenet_v2_x0_5", "none")
    assert first.weights == "random"
    assert torch.equal(first.model.conv1[0].weight, second.model.conv1[0].weight)  # type: ignore[index,union-attr]


def test_a_pretrained_transformer_keeps_its_size() -> None:
    error = refusal("torchvision/vit_b_16", image_size=384, meta=True)
    assert (
        error.what
        == "torchvision/vit_b_16 cannot take images of 384 pixels: its pretrained weights are for 224"
    )


def test_a_random_transformer_takes_any_multiple_of_its_patch() -> None:
    model = open_backbone("torchvision/vit_b_32", "none", 64, meta=True).model
    assert model.get_parameter("encoder.pos_embedding").shape == (1, 5, 768)
    assert "50 pixels" in refusal("torchvision/vit_b_32", "none", 50, meta=True).what


def test_sources() -> None:
    assert source("torchvision/resnet18") == (torchvision, "resnet18")
