"""timm's models by name: weights, sizes, refusals."""

from __future__ import annotations

from typing import Any

import pytest
import timm as library
import torch

from ftcli.components.backbone import open_backbone, timm
from ftcli.errors import ModelError


def refusal(*arguments: object, **options: object) -> ModelError:
    with pytest.raises(ModelError) as caught:
        open_backbone(*arguments, **options)  # type: ignore[arg-type]
    assert caught.value.exit_code == 5
    assert caught.value.remedy
    return caught.value


def test_names_are_architectures() -> None:
    assert "resnet18" in timm.names()
    assert not [name for name in timm.names() if "." in name]


def test_an_unknown_name_is_told_the_nearest() -> None:
    assert "timm/resnet18" in (refusal("timm/resnet81", meta=True).remedy or "")


def test_a_tag_names_the_weights() -> None:
    assert open_backbone("timm/resnet18.tv_in1k", meta=True).weights == "resnet18.tv_in1k of timm"
    assert (
        open_backbone("timm/resnet18", meta=True).weights
        == f"resnet18.{timm.default_tag('resnet18')} of timm"
    )
    assert "timm/resnet18.tv_in1k" in (refusal("timm/resnet18.tv_in2k", meta=True).remedy or "")


def test_preprocessing_is_that_of_the_weights() -> None:
    images = timm.preprocessing("vit_tiny_patch16_224")
    assert (images.image_size, images.resize_size) == (224, 248)
    assert (images.interpolation, images.mean, images.std) == ("bicubic", (0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("deit_tiny_distilled_patch16_224", "several classifiers"),
        ("resnetv2_50x1_bit", "Conv2d"),
        ("dla34", "Conv2d"),
        ("poolformer_s12", "does not declare its depth"),
    ],
)
def test_what_cannot_be_fine_tuned_says_why(name: str, why: str) -> None:
    assert why in refusal(f"timm/{name}", "none", meta=True).what


def test_no_default_weights() -> None:
    assert "no pretrained weights for cspresnet50d" in refusal("timm/cspresnet50d", meta=True).what
    assert open_backbone("timm/cspresnet50d", "none", meta=True).weights == "random"


def test_a_model_published_without_a_classifier_gets_a_place_for_one() -> None:
    opened = open_backbone("timm/vit_small_patch14_dinov2", "none", meta=True)
    assert (opened.heads, opened.num_features) == (("head",), 384)


def test_a_transformer_is_made_for_the_image_size() -> None:
    opened = open_backbone("timm/test_vit", "none", 64, meta=True)
    assert opened.preprocessing.image_size == 64
    assert opened.model.patch_embed.img_size == (64, 64)  # type: ignore[union-attr]


def test_default_weights_are_asked_for_at_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    create = library.create_model

    def fetching(name: str, pretrained: bool, **options: Any) -> torch.nn.Module:
        asked.update(options, name=name, pretrained=pretrained)
        return create(name, pretrained=False, **options)

    monkeypatch.setattr(library, "create_model", fetching)
    open_backbone("timm/test_vit", "default", 96)
    assert asked == {"name": "test_vit", "pretrained": True, "img_size": 96}


def test_a_download_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise FileNotFoundError("we cannot find the requested files\nand so on")

    monkeypatch.setattr(library, "create_model", offline)
    error = refusal("timm/test_vit")
    assert (
        error.what == "cannot get the weights test_vit.r160_in1k of timm: we cannot find the requested files"
    )
