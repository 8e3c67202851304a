"""Weights from a file: what is accepted, and that nothing in it is run."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ftcli.components.backbone import open_backbone
from ftcli.components.backbone._weights import load_weights, read_tensors
from ftcli.errors import ModelError


class Tiny(nn.Module):
    def __init__(self, num_classes: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, num_classes)


def backbone_state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("fc.")}


def same_backbone(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(tensor, backbone_state(b)[name]) for name, tensor in backbone_state(a).items())


def refusal(model: nn.Module, path: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        load_weights(model, path, ("fc",))
    assert caught.value.where == str(path)
    return caught.value


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model", "model_state_dict"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod."])
def test_what_training_scripts_write_is_read(tmp_path: Path, wrapper: str | None, prefix: str) -> None:
    saved, model = Tiny(), Tiny()
    state: dict[str, Any] = {f"{prefix}{name}": tensor for name, tensor in saved.state_dict().items()}
    torch.save({wrapper: state, "epoch": 3} if wrapper else state, tmp_path / "w.pth")
    assert (
        load_weights(model, tmp_path / "w.pth", ("fc",)) == "file w.pth: 7 tensors, the classifier left out"
    )
    assert same_backbone(model, saved)


def test_safetensors_are_read(tmp_path: Path) -> None:
    saved, model = Tiny(), Tiny()
    save_file(backbone_state(saved), tmp_path / "w.safetensors")
    assert load_weights(model, tmp_path / "w.safetensors", ("fc",)) == "file w.safetensors: 7 tensors"
    assert same_backbone(model, saved)


@pytest.mark.parametrize("head", [nn.Linear(4, 1000), nn.Sequential(nn.Linear(4, 9), nn.Linear(9, 2))])
def test_the_classifier_of_the_file_may_be_any(tmp_path: Path, head: nn.Module) -> None:
    saved, model = Tiny(), Tiny()
    saved.fc = head  # type: ignore[assignment]
    torch.save(saved.state_dict(), tmp_path / "w.pth")
    load_weights(model, tmp_path / "w.pth", ("fc",))
    assert same_backbone(model, saved)
    assert model.fc.weight.shape == (3, 4)


def test_counters_that_old_files_lack_are_not_missed(tmp_path: Path) -> None:
    state = Tiny().state_dict()
    del state["norm.num_batches_tracked"]
    torch.save(state, tmp_path / "w.pth")
    load_weights(Tiny(), tmp_path / "w.pth", ("fc",))


def test_everything_that_does_not_fit_is_told(tmp_path: Path) -> None:
    state = Tiny().state_dict()
    del state["conv.bias"]
    state["conv.weight"] = torch.zeros(4, 1, 3, 3)
    state["extra"] = torch.zeros(1)
    torch.save(state, tmp_path / "w.pth")
    model = Tiny()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    what = refusal(model, tmp_path / "w.pth").what
    assert "1 missing: conv.bias" in what
    assert "1 not the model's: extra" in what
    assert "conv.weight (4, 1, 3, 3) instead of (4, 3, 3, 3)" in what
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_only_the_first_few_are_listed(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "w.pth")
    assert "6 missing: conv.weight, conv.bias, norm.weight, ..." in refusal(Tiny(), tmp_path / "w.pth").what


class Malicious:
    """Unpickling it touches a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("save", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))])
def test_code_in_a_file_is_not_run(tmp_path: Path, save: Any) -> None:
    save({"conv.weight": Malicious(tmp_path / "touched")}, tmp_path / "w.pth")
    error = refusal(Tiny(), tmp_path / "w.pth")
    assert "could run code" in error.what
    assert error.remedy
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("name", ["w.pth", "w.pt", "w.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights at all", b"\x80\x02}q\x00."])
def test_a_damaged_file(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    refusal(Tiny(), tmp_path / name)


def test_a_whole_model_is_no_state_dict(tmp_path: Path) -> None:
    torch.save({"state_dict": {"conv": 3}}, tmp_path / "w.pth")
    assert "torch.save(model.state_dict(), path)" in (refusal(Tiny(), tmp_path / "w.pth").remedy or "")


def test_another_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "w.onnx").touch()
    assert ".onnx" in refusal(Tiny(), tmp_path / "w.onnx").what


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such weights file"):
        open_backbone("torchvision/resnet18", str(tmp_path / "w.pth"), meta=True)


@pytest.mark.parametrize("backbone", ["torchvision/shufflenet_v2_x0_5", "timm/test_resnet"])
def test_a_backbone_takes_them_and_checks_them_on_paper_too(tmp_path: Path, backbone: str) -> None:
    saved = open_backbone(backbone, "none").model.state_dict()
    path = tmp_path / "w.safetensors"
    save_file(saved, path)
    opened = open_backbone(backbone, str(path))
    on_paper = open_backbone(backbone, str(path), meta=True)
    assert opened.weights == on_paper.weights
    assert opened.weights.endswith("the classifier left out")
    kept = opened.model.state_dict()
    assert all(torch.equal(kept[n], saved[n]) for n in saved if not n.startswith(f"{opened.heads[0]}."))
    assert all(parameter.is_meta for parameter in on_paper.model.parameters())
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match="do not fit"):
        open_backbone(backbone, str(path), meta=True)


def test_names_and_tensors(tmp_path: Path) -> None:
    state = Tiny().state_dict()
    torch.save(state, tmp_path / "w.pt")
    assert list(read_tensors(tmp_path / "w.pt")) == list(state)
