"""transformers' models by name, folder and repository: weights, images, sizes, refusals."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from ftcli.components.backbone import hf, open_backbone, quietly
from ftcli.engine.images import center_crop, normalise, prepare
from ftcli.errors import ModelError

transformers = pytest.importorskip("transformers")

VIT: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 32,
    "patch_size": 8,
}
RESNET: dict[str, Any] = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 2]}
LEVIT: dict[str, Any] = {
    "hidden_sizes": [16, 24, 32],
    "num_attention_heads": [2, 2, 2],
    "key_dim": [4, 4, 4],
    "depths": [2, 1, 1],
    "image_size": 64,
}


def refusal(*arguments: object, **options: object) -> ModelError:
    with pytest.raises(ModelError) as caught:
        open_backbone(*arguments, **options)  # type: ignore[arg-type]
    assert caught.value.exit_code == 5
    return caught.value


def published(folder: Path, kind: str, config: str, values: dict[str, Any]) -> Any:
    """A random model in a folder as `save_pretrained` leaves it; returns the model."""
    torch.manual_seed(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = getattr(transformers, kind)(getattr(transformers, config)(**values)).eval()
        for name, tensor in model.state_dict().items():  # norms that do something
            if tensor.is_floating_point() and "running" not in name:
                tensor.add_(torch.randn_like(tensor) * 0.05)
        model.save_pretrained(folder)
    return model


def images(size: int) -> torch.Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(2))


SAME = [
    ("ViTForImageClassification", "ViTConfig", VIT | {"num_labels": 5}, 32),
    ("BeitForImageClassification", "BeitConfig", VIT | {"num_labels": 5, "use_mask_token": True}, 32),
    ("DeiTForImageClassificationWithTeacher", "DeiTConfig", VIT | {"num_labels": 5}, 32),
    ("LevitForImageClassificationWithTeacher", "LevitConfig", LEVIT | {"num_labels": 5}, 64),
    ("ResNetForImageClassification", "ResNetConfig", RESNET | {"num_labels": 5}, 64),
    ("Dinov2ForImageClassification", "Dinov2Config", VIT | {"mlp_ratio": 2, "num_labels": 5}, 32),
    (
        "CLIPForImageClassification",
        "CLIPConfig",
        {"vision_config": VIT, "text_config": {"hidden_size": 8, "num_hidden_layers": 1}},
        32,
    ),
    ("SiglipForImageClassification", "SiglipConfig", {"vision_config": VIT}, 32),
]


@pytest.mark.parametrize(("kind", "config", "values", "size"), SAME, ids=[row[0] for row in SAME])
def test_a_folder_gives_the_logits_of_its_model(
    kind: str, config: str, values: dict[str, Any], size: int, tmp_path: Path
) -> None:
    theirs = published(tmp_path, kind, config, values)
    opened = open_backbone(f"hf/{tmp_path}")
    with torch.no_grad():
        expected = theirs(images(size)).logits
        assert torch.allclose(opened.model.eval()(images(size)), expected, atol=1e-6)
    assert expected.std() > 0
    assert opened.weights == f"folder {tmp_path}"


FEATURES = [
    ("CLIPVisionModel", "CLIPVisionConfig", VIT),
    ("SiglipVisionModel", "SiglipVisionConfig", VIT),
    ("DINOv3ViTModel", "DINOv3ViTConfig", VIT),
]


@pytest.mark.parametrize(("kind", "config", "values"), FEATURES, ids=[row[0] for row in FEATURES])
def test_a_model_without_a_classifier_gives_its_pooled_features(
    kind: str, config: str, values: dict[str, Any], tmp_path: Path
) -> None:
    theirs = published(tmp_path, kind, config, values)
    opened = open_backbone(f"hf/{tmp_path}")
    assert (opened.heads, opened.num_features) == (("classifier",), 16)
    opened.model.set_submodule("classifier", torch.nn.Identity())
    with torch.no_grad():
        expected = theirs(images(32)).pooler_output
        assert torch.allclose(opened.model.eval()(images(32)), expected, atol=1e-6)


@pytest.mark.parametrize("tower", ["CLIP", "Siglip"])
def test_the_vision_half_of_a_model_of_text_and_images(tower: str, tmp_path: Path) -> None:
    text = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    values = {"vision_config": VIT, "text_config": text | {"vocab_size": 50, "projection_size": 16}}
    theirs = published(tmp_path, f"{tower}Model", f"{tower}Config", values)
    opened = open_backbone(f"hf/{tmp_path}")
    opened.model.set_submodule("classifier", torch.nn.Identity())
    with torch.no_grad():
        expected = theirs.vision_model(images(32)).pooler_output
        assert torch.allclose(opened.model.eval()(images(32)), expected, atol=1e-6)


def test_transformers_loads_what_we_save(tmp_path: Path) -> None:
    published(tmp_path, "ViTForImageClassification", "ViTConfig", VIT)
    opened = open_backbone(f"hf/{tmp_path}")
    theirs = transformers.ViTForImageClassification(transformers.ViTConfig(**VIT))
    theirs.load_state_dict(opened.model.state_dict())


def test_a_base_model_gets_a_new_classifier(tmp_path: Path) -> None:
    published(tmp_path, "ViTModel", "ViTConfig", VIT)
    opened = open_backbone(f"hf/{tmp_path}")
    assert opened.heads == ("classifier",)
    assert not any("pooler" in name for name in opened.model.state_dict())


def test_a_config_without_classes_gets_a_place_for_a_classifier(tmp_path: Path) -> None:
    published(tmp_path, "ViTForImageClassification", "ViTConfig", VIT | {"num_labels": 0})
    assert open_backbone(f"hf/{tmp_path}").heads == ("classifier",)


def test_weights_in_half_precision_are_brought_to_single(tmp_path: Path) -> None:
    model = published(tmp_path, "ResNetForImageClassification", "ResNetConfig", RESNET)
    model.half().save_pretrained(tmp_path)
    opened = open_backbone(f"hf/{tmp_path}")
    assert {p.dtype for p in opened.model.parameters()} == {torch.float32}


def test_weights_of_several_files(tmp_path: Path) -> None:
    theirs = published(tmp_path, "ViTForImageClassification", "ViTConfig", VIT)
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").unlink()
    theirs.save_pretrained(tmp_path, max_shard_size="10KB")
    assert (tmp_path / "model.safetensors.index.json").is_file()
    assert whole
    model = open_backbone(f"hf/{tmp_path}").model.eval()
    with torch.no_grad():
        assert torch.allclose(model(images(32)), theirs(images(32)).logits, atol=1e-6)


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    model = published(tmp_path, "ViTForImageClassification", "ViTConfig", VIT)
    (tmp_path / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    assert "has no weights as safetensors" in refusal(f"hf/{tmp_path}").what
    assert "has no weights as safetensors" in refusal(f"hf/{tmp_path}", meta=True).what
    assert open_backbone(f"hf/{tmp_path}", "none", meta=True).weights == "random"


def test_no_code_that_comes_with_a_model_is_run(tmp_path: Path) -> None:
    published(tmp_path, "ViTForImageClassification", "ViTConfig", VIT)
    content = json.loads((tmp_path / "config.json").read_text())
    content["_attn_implementation"] = content["attn_implementation"] = "evil/kernel"
    content["auto_map"] = {"AutoConfig": "evil.Config", "AutoModelForImageClassification": "evil.Model"}
    (tmp_path / "config.json").write_text(json.dumps(content))
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps({"auto_map": {"AutoImageProcessor": "evil.Processor"}, "image_processor_type": "Evil"})
    )
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    assert "image processor cannot be read" in refusal(f"hf/{tmp_path}").what
    (tmp_path / "preprocessor_config.json").unlink()
    model = open_backbone(f"hf/{tmp_path}").model
    assert type(model).__name__ == "ViTForImageClassification"
    assert "evil" not in repr(model.config)
    assert not (tmp_path / "ran").exists()


def test_weights_of_another_model_are_told(tmp_path: Path) -> None:
    published(tmp_path, "ViTForImageClassification", "ViTConfig", VIT)
    save_file({"something": torch.zeros(2)}, tmp_path / "model.safetensors")
    assert "tensors have no values" in refusal(f"hf/{tmp_path}").what
    published(tmp_path, "ViTForImageClassification", "ViTConfig", VIT | {"hidden_size": 24})
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit", **VIT}))
    assert "tensors have no values" in refusal(f"hf/{tmp_path}").what


@pytest.mark.parametrize("names", ["of the file that transformers saved", "of the model in memory"])
def test_weights_from_a_file(names: str, tmp_path: Path) -> None:
    """Files keep the names of transformers' earlier versions; in memory a ViT has others in some."""
    theirs = published(tmp_path, "ViTForImageClassification", "ViTConfig", VIT | {"num_labels": 5})
    path = tmp_path / "model.safetensors"
    if names == "of the model in memory":
        save_file(theirs.state_dict(), path)
    config = {"model_type": "vit", **VIT}
    opened = open_backbone("hf/vit", str(path), config=config)
    assert opened.weights == f"file model.safetensors: {len(theirs.state_dict())} tensors"
    assert open_backbone("hf/vit", str(path), config=config, meta=True).weights == opened.weights
    for name, tensor in theirs.vit.state_dict().items():
        assert torch.equal(opened.model.get_parameter(f"vit.{name}"), tensor)


def test_a_file_of_another_model(tmp_path: Path) -> None:
    save_file({"something": torch.zeros(2)}, tmp_path / "mine.safetensors")
    error = refusal("hf/vit", str(tmp_path / "mine.safetensors"), config={"model_type": "vit", **VIT})
    assert "tensors have no values" in error.what
    assert error.where == str(tmp_path / "mine.safetensors")


def test_a_transformer_takes_other_sizes(tmp_path: Path) -> None:
    theirs = published(tmp_path, "ViTForImageClassification", "ViTConfig", VIT)
    opened = open_backbone(f"hf/{tmp_path}", image_size=48)
    assert opened.preprocessing.image_size == 48
    with torch.no_grad():
        expected = theirs(images(48), interpolate_pos_encoding=True).logits
        assert torch.allclose(opened.model.eval()(images(48)), expected, atol=1e-6)
    again = open_backbone(f"hf/{tmp_path}", "none", 48, config=opened.config)
    again.model.load_state_dict(opened.model.state_dict())
    with torch.no_grad():
        assert torch.allclose(again.model.eval()(images(48)), expected, atol=1e-6)


def test_positions_that_cannot_be_resampled(tmp_path: Path) -> None:
    published(tmp_path, "LevitForImageClassification", "LevitConfig", LEVIT)
    assert "its weights are for 64" in refusal(f"hf/{tmp_path}", image_size=96, meta=True).what
    model = open_backbone(f"hf/{tmp_path}", "none", 96).model.eval()
    with torch.no_grad():
        assert model(images(96)).shape == (2, 2)


def test_random_weights_are_made_for_the_size() -> None:
    model = open_backbone("hf/vit", "none", 64, meta=True).model
    assert model.get_parameter("vit.embeddings.position_embeddings").shape == (1, 17, 768)


def test_a_config_is_json(tmp_path: Path) -> None:
    opened = open_backbone("hf/convnext", "none", meta=True)
    assert json.loads(json.dumps(opened.config)) == opened.config
    assert opened.config is not None
    assert "id2label" not in opened.config


def test_an_architecture_has_no_default_weights() -> None:
    error = refusal("hf/resnet", meta=True)
    assert "architecture without pretrained weights" in error.what
    assert "hf/OWNER/NAME" in (error.remedy or "")
    assert open_backbone("hf/resnet", "none", meta=True).weights == "random"


def test_an_unknown_name_is_told_the_nearest() -> None:
    remedy = refusal("hf/resnett", meta=True).remedy or ""
    assert "hf/resnet" in remedy
    assert "hf/./resnett" in remedy


@pytest.mark.parametrize("name", hf.exceptions())
def test_what_cannot_be_fine_tuned_says_why(name: str) -> None:
    assert hf.exceptions()[name] in refusal(f"hf/{name}", "none", meta=True).what
    assert name not in hf.names()


def test_every_image_classifier_is_listed_or_excepted() -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES as known

    assert set(known) <= {*hf.names(), *hf.exceptions()}


def test_folders_that_hold_no_model(tmp_path: Path) -> None:
    assert "no config.json" in refusal(f"hf/{tmp_path}").what
    (tmp_path / "config.json").write_text("{")
    assert "cannot read the model's description" in refusal(f"hf/{tmp_path}").what
    (tmp_path / "config.json").write_text('{"model_type": "bloom"}')
    assert "no image classifier of type 'bloom'" in refusal(f"hf/{tmp_path}").what
    (tmp_path / "config.json").write_text('{"model_type": "vit", "num_channels": 1}')
    assert "1 channels" in refusal(f"hf/{tmp_path}", "none").what
    (tmp_path / "config.json").write_text('{"model_type": "cvt", "depth": [1, 1, 1]}')
    assert "cannot be fine-tuned here" in refusal(f"hf/{tmp_path}", "none").what
    (tmp_path / "config.json").write_text('{"model_type": "vit", "quantization_config": {"bits": 8}}')
    assert "quantized" in refusal(f"hf/{tmp_path}", "none").what
    (tmp_path / "config.json").write_text('{"architecture": "resnet18"}')
    assert "timm/hf-hub" in refusal(f"hf/{tmp_path}").what


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and a hub that nobody answers for."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    return tmp_path


COMMIT = "aaaabbbb" * 5


def put_in_cache(hub: Path, repository: str, commit: str) -> Path:
    """The folder of one commit of a repository, as huggingface_hub lays it out."""
    root = hub / f"models--{repository.replace('/', '--')}"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text(commit)
    (root / "snapshots" / commit).mkdir(parents=True)
    (root / ".no_exist" / commit).mkdir(parents=True)
    (root / ".no_exist" / commit / "preprocessor_config.json").touch()
    return root / "snapshots" / commit


def test_a_repository_that_cannot_be_reached_is_told_at_once(hub: Path) -> None:
    import time

    started = time.monotonic()
    error = refusal("hf/somebody/vit-small")
    assert time.monotonic() - started < 3
    assert "cannot get the weights somebody/vit-small of the Hugging Face hub" in error.what


def test_a_repository_is_taken_from_the_cache(hub: Path) -> None:
    folder = put_in_cache(hub, "somebody/vit-small", COMMIT)
    theirs = published(folder, "ViTForImageClassification", "ViTConfig", VIT)
    opened = open_backbone("hf/somebody/vit-small")
    assert opened.weights == "somebody/vit-small of the Hugging Face hub, commit aaaabbbb"
    assert open_backbone("hf/somebody/vit-small", meta=True).weights == opened.weights
    with torch.no_grad():
        assert torch.allclose(opened.model.eval()(images(32)), theirs(images(32)).logits, atol=1e-6)


def test_a_description_without_weights_in_the_cache(hub: Path) -> None:
    folder = put_in_cache(hub, "somebody/vit-small", COMMIT)
    (folder / "config.json").write_text(json.dumps({"model_type": "vit", **VIT}))
    assert open_backbone("hf/somebody/vit-small", "none", meta=True).heads == ("classifier",)
    assert "model.safetensors" in refusal("hf/somebody/vit-small").what


def test_images_are_not_guessed_where_the_processor_has_not_been_fetched(hub: Path) -> None:
    folder = put_in_cache(hub, "somebody/vit-small", COMMIT)
    published(folder, "ViTForImageClassification", "ViTConfig", VIT)
    next(hub.rglob(".no_exist/*/*")).unlink()
    assert "preprocessor_config.json" in refusal("hf/somebody/vit-small").what


PROCESSORS: list[tuple[str, dict[str, Any]]] = [
    ("ViTImageProcessor", {"size": {"height": 48, "width": 48}}),
    ("DeiTImageProcessor", {"size": {"height": 56, "width": 56}, "crop_size": {"height": 48, "width": 48}}),
    ("BeitImageProcessor", {"size": {"height": 56, "width": 56}, "crop_size": 48, "do_center_crop": True}),
    ("ConvNextImageProcessor", {"size": {"shortest_edge": 48}, "crop_pct": 0.8}),
    ("ConvNextImageProcessor", {"size": {"shortest_edge": 384}}),
    ("CLIPImageProcessor", {"size": {"shortest_edge": 56}, "crop_size": 48}),
    ("SiglipImageProcessor", {"size": {"height": 48, "width": 48}}),
    ("LevitImageProcessor", {"size": {"shortest_edge": 48}, "crop_size": 48}),
    ("PoolFormerImageProcessor", {"size": {"shortest_edge": 48}, "crop_size": 48, "crop_pct": 0.8}),
    ("MobileViTImageProcessor", {"size": {"shortest_edge": 56}, "crop_size": 48}),
    ("MobileNetV2ImageProcessor", {"size": {"shortest_edge": 56}, "crop_size": 48}),
    ("EfficientNetImageProcessor", {"size": {"height": 48, "width": 48}, "resample": 0}),
    (
        "EfficientNetImageProcessor",
        {"size": {"height": 48, "width": 48}, "rescale_offset": True, "rescale_factor": 1 / 127.5},
    ),
    ("PvtImageProcessor", {"size": {"height": 48, "width": 48}}),
    ("DINOv3ViTImageProcessor", {"size": {"height": 48, "width": 48}}),
    ("BitImageProcessor", {"size": {"shortest_edge": 56}, "crop_size": 48}),
]


@pytest.mark.parametrize(
    ("kind", "values"), PROCESSORS, ids=[f"{k}-{i}" for i, (k, _) in enumerate(PROCESSORS)]
)
@pytest.mark.parametrize("shape", [(80, 160), (140, 70)])
def test_images_are_those_of_the_processor(
    kind: str, values: dict[str, Any], shape: tuple[int, int], tmp_path: Path
) -> None:
    made = getattr(transformers, kind, None) or getattr(transformers, f"{kind}Fast")  # once its only name
    processor = made(**values)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit", **VIT}))
    processor.save_pretrained(tmp_path)
    ours = hf.preprocessing(str(tmp_path))
    coarse = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype="uint8")
    image = Image.fromarray(coarse).resize(shape, Image.Resampling.BICUBIC)
    expected = processor(image, return_tensors="pt")["pixel_values"][0]
    crop = center_crop(prepare(image, ours), ours.image_size)
    found = normalise(crop[None], ours)[0]
    assert found.shape == expected.shape
    spread = float(expected.std())
    assert (found - expected).abs().mean() < 0.02 * spread


def test_images_that_are_not_square_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit", **VIT}))
    transformers.ViTImageProcessor(size={"height": 32, "width": 48}).save_pretrained(tmp_path)
    assert "32 by 48 pixels, not square" in refusal(f"hf/{tmp_path}", "none").what


def test_without_a_processor_images_are_imagenets_at_the_configs_size(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit", **VIT | {"image_size": 112}}))
    found = hf.preprocessing(str(tmp_path))
    assert (found.image_size, found.resize_size, found.mean) == (112, 128, (0.485, 0.456, 0.406))


def test_it_is_silent_and_leaves_the_loggers_as_they_were(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    published(tmp_path, "ViTModel", "ViTConfig", VIT)
    capfd.readouterr()
    level = logging.getLogger("transformers").level
    open_backbone(f"hf/{tmp_path}")
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("transformers").level == level


def test_bitsandbytes_is_silenced_too(caplog: pytest.LogCaptureFixture) -> None:
    """On processors with AVX512-BF16 it tells of a package that it would like to have."""
    with quietly():
        logging.getLogger("bitsandbytes.backends.cpu.ops").warning("not told")
    logging.getLogger("bitsandbytes.backends.cpu.ops").warning("told")
    assert caplog.messages == ["told"]
