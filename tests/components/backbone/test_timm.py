"""timm's models by name: weights, sizes, refusals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import timm as library
import torch
from huggingface_hub import constants
from safetensors.torch import load_file

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


def test_what_cannot_be_fine_tuned_says_why() -> None:
    assert "not square" in refusal("timm/vit_base_patch16_sapiens2", "none", meta=True).what
    assert "no classifier" in refusal("timm/qwen3_vit_88m_enc", "none", meta=True).what
    assert set(timm.exceptions()).isdisjoint(timm.names())


@pytest.mark.parametrize(
    ("name", "heads"),
    [
        ("deit_tiny_distilled_patch16_224", ("head", "head_dist")),
        ("levit_128s", ("head.linear", "head_dist.linear")),
        ("levit_384_s8", ("head.linear", "head_dist.linear")),
        ("repvit_m0_9", ("head.head.l", "head.head_dist.l")),
        ("efficientvim_m1", ("heads.0", "heads.1", "heads.2", "heads.3")),
        ("crossvit_tiny_240", ("head.0", "head.1")),
        ("volo_d1_224", ("head", "aux_head")),
        ("dla46_c", ("fc",)),
        ("convformer_s18", ("head.fc.fc2",)),
    ],
)
def test_the_classifiers_of_a_model(name: str, heads: tuple[str, ...]) -> None:
    assert open_backbone(f"timm/{name}", "none", meta=True).heads == heads


@pytest.mark.parametrize(
    ("name", "fit"), [("beitv2_base_patch16_224", "crop"), ("coat_lite_medium_384", "squash")]
)
def test_the_way_to_fit_an_image_is_that_of_the_weights(name: str, fit: str) -> None:
    assert timm.preprocessing(name).fit == fit
    assert timm.preprocessing("deepseek_vit_412m").fit == "pad"


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


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as timm saves it for the hub: of another depth than the architecture's name says, 5 classes."""
    torch.manual_seed(0)
    made = tmp_path_factory.mktemp("model")
    arguments = {"depths": (1, 1, 1, 1), "in_chans": 3}
    model = library.create_model("test_convnext", num_classes=5, **arguments)
    library.models.save_for_hf(model, str(made), model_args=arguments, safe_serialization=True)
    return made


def test_a_folder_is_opened_with_its_weights(folder: Path) -> None:
    opened = open_backbone(f"timm/local-dir:{folder}")
    saved = load_file(folder / "model.safetensors")
    tensors = opened.model.state_dict()
    assert tensors.keys() == saved.keys()
    assert all(torch.equal(tensors[name], saved[name]) for name in saved)
    assert opened.weights == f"folder {folder.name}"
    assert opened.preprocessing == timm.preprocessing("test_convnext")
    meta = open_backbone(f"timm/local-dir:{folder}", meta=True)
    assert meta.model.state_dict().keys() == saved.keys()
    assert (meta.weights, meta.preprocessing) == (opened.weights, opened.preprocessing)


def test_what_was_a_folder_is_opened_again_without_it(folder: Path) -> None:
    name = f"local-dir:{folder}"
    opened = timm.open_model(name)
    config = json.loads(json.dumps(opened.config))
    assert config == opened.config
    assert str(folder) not in json.dumps(config)
    shutil.rmtree(folder)
    again = timm.open_model(name, "none", config=config)
    shapes = {key: tensor.shape for key, tensor in opened.model.state_dict().items()}
    assert {key: tensor.shape for key, tensor in again.model.state_dict().items()} == shapes
    assert (again.heads, again.preprocessing) == (opened.heads, opened.preprocessing)
    assert again.config == config


def test_a_name_of_timm_s_own_needs_no_config() -> None:
    assert open_backbone("timm/test_vit", "none", meta=True).config is None


def test_a_folder_that_holds_no_model_of_timm(tmp_path: Path) -> None:
    assert "no config.json" in refusal(f"timm/local-dir:{tmp_path}").what
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    assert "does not describe a model of timm" in refusal(f"timm/local-dir:{tmp_path}").what
    (tmp_path / "config.json").write_text('{"architecture": "resnet81"}')
    assert "no model 'resnet81'" in refusal(f"timm/local-dir:{tmp_path}").what


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The hub at a host that has no address, and nothing in its cache."""
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "ENDPOINT", "https://hub.invalid")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("name", ["hf-hub:someone/some_model", "test_vit"])
def test_an_unreachable_hub_is_told_at_once(name: str) -> None:
    start = monotonic()
    error = refusal(f"timm/{name}")
    assert "hub.invalid cannot be reached" in error.what
    assert monotonic() - start < 15
    assert not constants.HF_HUB_OFFLINE


@pytest.mark.usefixtures("nowhere")
def test_a_repository_in_the_cache_is_opened_and_opened_again_without_it(folder: Path) -> None:
    repository = Path(constants.HF_HUB_CACHE) / "models--someone--some_model"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    shutil.copytree(folder, repository / "snapshots" / ("0" * 40))
    opened = open_backbone("timm/hf-hub:someone/some_model")
    saved = load_file(folder / "model.safetensors")
    assert all(torch.equal(tensor, saved[name]) for name, tensor in opened.model.state_dict().items())
    assert opened.weights == "someone/some_model of the Hugging Face hub"
    shutil.rmtree(repository)
    again = timm.open_model("hf-hub:someone/some_model", "none", config=opened.config)
    assert again.model.state_dict().keys() == saved.keys()
    assert again.config == opened.config
