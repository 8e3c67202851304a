"""The classifier that came with weights: found again with its names, and put on another backbone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from ftcli.components.backbone import class_names
from ftcli.engine.old_classifier import classifier_on, num_outputs, open_old_classifier
from ftcli.errors import RecipeError
from tests.toys import RESNET, VIT

IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def published(folder: Path, num_classes: int, **config: object) -> str:
    """A folder with a model of timm as its library saves one; returns its name as a backbone."""
    folder.mkdir()
    model = timm.create_model("test_resnet", num_classes=num_classes)
    save_file(model.state_dict(), folder / "model.safetensors")
    own = {**model.pretrained_cfg, "num_classes": num_classes, **config}
    content = {"architecture": "test_resnet", "num_classes": num_classes, "pretrained_cfg": own}
    (folder / "config.json").write_text(json.dumps(content))
    return f"timm/local-dir:{folder}"


def test_default_weights_bring_their_names(tmp_path: Path) -> None:
    backbone = published(tmp_path / "model", 3, label_names=["cat", "dog", "fish"])
    old = open_old_classifier(backbone, "default", 32)
    assert (old.names, old.num_classes, old.heads) == (("cat", "dog", "fish"), 3, ("fc",))
    kept = timm.create_model(
        "test_resnet", num_classes=3, checkpoint_path=tmp_path / "model" / "model.safetensors"
    )
    assert torch.equal(old.model.eval()(IMAGES), kept.eval()(IMAGES))


def test_an_encoder_has_nothing_to_ask(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        open_old_classifier(published(tmp_path / "model", 0), "default", 32)
    (problem,) = caught.value.problems
    assert problem.path == "forgetting"
    assert "folder model has no classifier" in problem.message


@pytest.mark.parametrize("backbone", [RESNET, VIT])
def test_a_file_of_somebody_else_brings_its_classifier_without_names(backbone: str, tmp_path: Path) -> None:
    file, made = tmp_path / "w.safetensors", timm.create_model(backbone.partition("/")[2], num_classes=7)
    save_file(made.state_dict(), file)
    size = made.pretrained_cfg["input_size"][-1]
    images = torch.rand(2, 3, size, size)
    old = open_old_classifier(backbone, str(file), size)
    assert (old.names, old.num_classes) == ((), 7)
    assert torch.equal(old.model.eval()(images), made.eval()(images))


def test_a_file_without_its_classifier(tmp_path: Path) -> None:
    state = timm.create_model("test_resnet", num_classes=0).state_dict()
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(RecipeError):
        open_old_classifier(RESNET, str(tmp_path / "w.safetensors"), 32)


def test_the_generator_stays(tmp_path: Path) -> None:
    backbone = published(tmp_path / "model", 3)
    before = torch.get_rng_state()
    open_old_classifier(backbone, "default", 32)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_new_head_comes_back_itself() -> None:
    model, old = (
        timm.create_model("test_resnet", num_classes=2),
        timm.create_model("test_resnet", num_classes=5),
    )
    own = model.fc
    with classifier_on(model, {"fc": old.fc}):
        assert model(IMAGES).shape == (2, 5)
    assert model.fc is own
    with pytest.raises(AttributeError), classifier_on(model, {"fc": old.fc}):
        model.no_such_layer(IMAGES)
    assert model.fc is own


def test_outputs_of_a_convolution_and_of_layers() -> None:
    layers = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    assert (num_outputs(layers), num_outputs(torch.nn.Conv2d(4, 6, 1))) == (3, 6)


@pytest.mark.parametrize("backbone", ["torchvision/resnet18", "timm/tf_efficientnet_lite0"])
def test_classes_of_imagenet_are_called_as_their_folders_and_as_people_do(backbone: str) -> None:
    names = class_names(backbone)
    assert len(names) == 1000
    assert names[281].split(", ")[:2] == ["n02123045", "tabby"]
    assert names[0].split(", ")[:2] == ["n01440764", "tench"]


TINY = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 32,
    "patch_size": 8,
}


def test_a_folder_of_transformers_brings_its_labels_in_their_order(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    names = {0: "tench, Tinca tinca", 1: "cat", 2: "dog"}
    made = transformers.ViTForImageClassification(transformers.ViTConfig(**TINY, id2label=names)).eval()
    made.save_pretrained(tmp_path)
    old = open_old_classifier(f"hf/{tmp_path}", "default", 32)
    assert (old.names, old.heads) == (tuple(names.values()), ("classifier",))
    assert torch.equal(old.model.eval()(IMAGES), made(IMAGES).logits)


@pytest.mark.parametrize("kind", ["ViTModel", "CLIPVisionModel"])
def test_an_encoder_of_transformers_has_nothing_to_ask(kind: str, tmp_path: Path) -> None:
    """One whose class has a classifier all the same, with random values, and one that has none."""
    transformers = pytest.importorskip("transformers")
    made = getattr(transformers, kind)
    made(made.config_class(**TINY)).save_pretrained(tmp_path)
    with pytest.raises(RecipeError) as caught:
        open_old_classifier(f"hf/{tmp_path}", "default", 32)
    assert "has no classifier" in caught.value.problems[0].message
