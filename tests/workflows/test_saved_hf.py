"""A model of transformers' that was trained: its file is enough, neither hub nor folder is asked again."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import pytest
import torch

from ftcli.engine.weights_file import load_model
from ftcli.workflows.absolute_paths import with_absolute_path, with_absolute_paths
from ftcli.workflows.inspect_run import inspect_path
from ftcli.workflows.predict import predict
from ftcli.workflows.saved_model import load_saved
from ftcli.workflows.train import train
from tests.toys import ignore, recipe, write_digits

transformers = pytest.importorskip("transformers")


def published(folder: Path) -> Path:
    """A small ViT for images of 24 pixels, with a processor of its own."""
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=24,
        patch_size=8,
    )
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        transformers.ViTForImageClassification(config).save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 24, "width": 24}).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("image_size", [None, 32])
def test_a_run_is_opened_without_the_folder_it_started_from(tmp_path: Path, image_size: int | None) -> None:
    digits = write_digits(tmp_path / "digits", per_class=10, classes=3)
    folder = published(tmp_path / "tiny-vit")
    made = recipe(
        digits,
        data={"kind": "folder", "path": str(digits), "image_size": image_size},
        model={"backbone": f"hf/{folder}"},
    )
    train(made, out=tmp_path / "run", resume=False, listener=ignore)
    with_folder = load_saved(tmp_path / "run")
    images = torch.randint(0, 256, (2, 3, image_size or 24, image_size or 24), dtype=torch.uint8)
    with torch.inference_mode():
        expected = with_folder.forward(images)

    shutil.rmtree(folder)
    saved = load_saved(tmp_path / "run")
    with torch.inference_mode():
        assert torch.equal(saved.forward(images), expected)
    assert saved.card.preprocessing.fit == "squash"
    inspected = inspect_path(tmp_path / "run")
    assert not [finding for finding in inspected.findings if finding.rule == "plan-differs"]
    shown = predict(tmp_path / "run", [next(digits.rglob("*.png"))])
    assert len(shown) == 1

    state, card = load_model(tmp_path / "run" / "best.safetensors")
    assert card.config is not None
    assert card.config["model_type"] == "vit"
    theirs = transformers.ViTForImageClassification(
        transformers.ViTConfig.from_dict({**card.config, "num_labels": 3})
    )
    theirs.load_state_dict(state)


def test_a_file_without_a_config_still_loads(tmp_path: Path) -> None:
    digits = write_digits(tmp_path / "digits", per_class=10, classes=3)
    train(recipe(digits), out=tmp_path / "run", resume=False, listener=ignore)
    path = tmp_path / "run" / "best.safetensors"
    from ftcli.engine.weights_file import load_tensors, save_tensors

    tensors, content = load_tensors(path)
    assert content.pop("config") is None
    save_tensors(path, tensors, content)
    assert load_saved(tmp_path / "run").card.config is None


def test_folders_are_kept_with_their_whole_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert with_absolute_path("hf/./mine") == f"hf/{tmp_path / 'mine'}"
    assert with_absolute_path("timm/local-dir:mine") == f"timm/local-dir:{tmp_path / 'mine'}"
    for same in ("hf/vit", "hf/somebody/mine", "hf//a/folder", "timm/hf-hub:a/b", "torchvision/resnet18"):
        assert with_absolute_path(same) == same
    made = recipe(tmp_path, model={"backbone": "hf/./mine", "weights": "none"})
    assert (
        json.loads(with_absolute_paths(made).model_dump_json())["model"]["backbone"]
        == f"hf/{tmp_path / 'mine'}"
    )
