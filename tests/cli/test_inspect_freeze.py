"""`ftcli inspect-freeze`: what trains, of a recipe, a backbone by name, a run and a model file; offline."""

from __future__ import annotations

import json
import shutil
import socket

import pytest
import torch
from safetensors.torch import save_file

BACKBONE = 11_176_512
"""Parameters of ResNet-18 without its classifier."""
HEAD = 512 * 10 + 10
"""Where nothing is known of the data, ten classes are assumed."""
RECIPE = "data: {kind: folder, path: not-here}\nmodel: {backbone: torchvision/resnet18}\nstrategy: full\n"
LP_FT = ("timm/test_resnet", "--strategy", "lp_ft")


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    def connect(self, address):
        raise AssertionError(f"inspect-freeze went online, to {address}")

    monkeypatch.setattr(socket.socket, "connect", connect)


def trainable(told):
    return [phase["trainable"] for phase in told["totals"]["phases"]]


def test_of_a_backbone_everything_is_counted(ftcli):
    told = ftcli("inspect-freeze", "torchvision/resnet18", "--json").json
    assert (told["backbone"], told["strategy"]) == ("torchvision/resnet18", "full")
    assert told["totals"]["parameters"] == BACKBONE + HEAD
    assert trainable(told) == [BACKBONE + HEAD]
    assert [stage["name"] for stage in told["stages"]] == [
        "stem",
        "layer1",
        "layer2",
        "layer3",
        "layer4",
        "head",
    ]
    assert sum(stage["parameters"] for stage in told["stages"]) == told["totals"]["parameters"]


def test_feature_extraction_trains_the_head_alone(ftcli):
    told = ftcli("inspect-freeze", "torchvision/resnet18", "--strategy", "feature_extraction", "--json").json
    assert trainable(told) == [HEAD]
    by_stage = {stage["name"]: stage["phases"][0]["trainable"] for stage in told["stages"]}
    assert by_stage.pop("head") == HEAD
    assert set(by_stage.values()) == {0}


@pytest.mark.parametrize("strategy", ["full", "feature_extraction", "lp_ft", "partial", "gradual", "scratch"])
def test_every_strategy_of_a_bare_backbone(ftcli, strategy):
    told = ftcli("inspect-freeze", "timm/test_resnet", "--strategy", strategy, "--json").json
    counts = trainable(told)
    assert counts == sorted(counts)
    assert counts[-1] <= told["totals"]["parameters"]


def test_of_a_recipe_whose_data_is_not_at_hand(ftcli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(RECIPE)
    assert trainable(ftcli("inspect-freeze", "mine.yaml", "--json").json) == [BACKBONE + HEAD]
    partial = ("--set", "strategy={kind: partial, train: [layer4]}")
    layer4 = 8_393_728
    assert trainable(ftcli("inspect-freeze", "mine.yaml", "--json", *partial).json) == [layer4 + HEAD]


def test_of_a_recipe_with_its_data_the_head_has_its_classes(ftcli, toy, monkeypatch):
    monkeypatch.chdir(toy.path)
    told = ftcli("inspect-freeze", "toy.yaml", "--json").json
    backbone = 372_979 - (96 * 3 + 3)
    assert told["totals"]["parameters"] == backbone + 96 * 3 + 3
    assert trainable(told) == [96 * 3 + 3, backbone + 96 * 3 + 3]


def test_what_is_shown_is_what_the_run_did(ftcli, toy, monkeypatch):
    monkeypatch.chdir(toy.path)
    shown = ftcli("inspect-freeze", "toy.yaml", "--json").json["phases"]
    done = json.loads((toy.run / "plan.json").read_text())["phases"]
    assert [phase["name"] for phase in shown] == [phase["name"] for phase in done]


def test_as_a_page(ftcli, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    ended = ftcli("inspect-freeze", "torchvision/resnet18")
    assert ended.code == 0
    assert "11,181,642" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80
    assert "\x1b" not in ended.out


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("torchvision/resnet19",), 5, "nearest: torchvision/resnet18"),
        (("nonsense.yaml",), 2, "there is no recipe nonsense.yaml"),
        (("torchvision/resnet18", "--strategy", "ful"), 2, "did you mean 'full'?"),
        (("torchvision/resnet18", "--set", "optimizer.lr=1"), 2, "--set changes a recipe"),
        (("mine.yaml", "--strategy", "full"), 2, "use --set strategy=full"),
        (("runs/nowhere",), 3, "there is no such file or folder"),
        (("nowhere.pth",), 3, "there is no such file or folder"),
        (("nowhere.safetensors",), 3, "there is no such run folder or model file"),
        (("resnet18",), 2, "SOURCE/NAME"),
        (("model.pth",), 2, "neither a recipe (.yaml), nor a run folder, nor a model that ftcli wrote"),
        (("notes.txt",), 2, "neither a recipe (.yaml)"),
        (("foreign.safetensors",), 5, "foreign.safetensors"),
        (("folder",), 3, "this is not a run folder"),
        (("folder", "--strategy", "full"), 2, "--strategy is for a backbone by name"),
        (("folder", "--set", "optimizer.lr=1"), 2, "inspect the recipe.yaml in its folder"),
        (("mine.yaml", "--phase", "1"), 2, "choose one of 0 (full)"),
        (("mine.yaml", "--phase", "-1"), 2, "has no phase -1"),
        (("mine.yaml", "--diff"), 2, "--diff compares phases, and torchvision/resnet18 has only one"),
        ((*LP_FT, "--diff", "--phase", "head"), 2, "phase 0 (head) is the first"),
        (("mine.yaml", "--filter", "layr4"), 2, "nearest: layer4"),
        (("mine.yaml", "--depth", "tensor"), 2, "parameter"),
    ],
)
def test_what_it_refuses(ftcli, tmp_path, monkeypatch, arguments, code, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(RECIPE)
    (tmp_path / "folder").mkdir()
    for name in ("model.pth", "notes.txt"):
        (tmp_path / name).write_bytes(b"something")
    save_file({"weight": torch.zeros(2)}, tmp_path / "foreign.safetensors")
    ended = ftcli("inspect-freeze", *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert told in ended.err


@pytest.fixture
def run(toy, tmp_path, monkeypatch):
    """A copy of the toy's run that a test may change."""
    monkeypatch.chdir(toy.path)
    return shutil.copytree(toy.run, tmp_path / "run")


def lines(ended):
    assert (ended.code, ended.err) == (0, "")
    assert max(map(len, ended.out.splitlines())) <= 80
    return ended.out


def changed_summary(run, **frozen):
    summary = json.loads((run / "summary.json").read_text())
    summary["frozen"] |= frozen
    (run / "summary.json").write_text(json.dumps(summary))


def test_the_page_says_what_the_optimizer_holds(ftcli):
    out = lines(ftcli("inspect-freeze", *LP_FT))
    assert "the optimizer holds in each phase just what trains; 2, then 12 groups; float32" in out


@pytest.mark.parametrize("phase", ["1", "fine-tune"])
def test_a_phase_by_its_place_and_by_its_name(ftcli, phase):
    out = lines(ftcli("inspect-freeze", *LP_FT, "--phase", phase))
    assert "Phase 1, fine-tune  epochs 3-9" in out
    assert "groups 10-11" in out
    assert "Decided by the plan" in out
    told = ftcli("inspect-freeze", *LP_FT, "--phase", phase, "--json").json
    assert [p["name"] for p in told["phases"]] == ["fine-tune"]
    assert [cell["phase"] for stage in told["stages"] for cell in stage["phases"]] == ["fine-tune"] * 6


def test_deeper_than_stages(ftcli):
    layers = lines(ftcli("inspect-freeze", *LP_FT, "--depth", "layer"))
    assert "a column a phase: its peak LR" in layers
    parameters = lines(ftcli("inspect-freeze", "timm/test_resnet", "--depth", "parameter"))
    assert "layer2.0.conv1.weight" in parameters
    told = ftcli("inspect-freeze", *LP_FT, "--depth", "parameter", "--json").json
    head, full = (phase["parameters"] for phase in told["phases"])
    assert [p["name"] for p in head if p["trains"]] == ["fc.weight", "fc.bias"]
    assert all(p["trains"] and p["groups"] and p["lr"] for p in full)
    assert sum(p["numel"] for p in full) == told["totals"]["parameters"]
    told = ftcli("inspect-freeze", *LP_FT, "--depth", "layer", "--json").json
    assert sum(layer["parameters"] for layer in told["phases"][0]["layers"]) == told["totals"]["parameters"]


def test_a_filter_shows_parameters_unless_told_otherwise(ftcli):
    out = lines(ftcli("inspect-freeze", "timm/test_resnet", "--filter", "*.bn1.weight"))
    assert "layer1.0.bn1.weight" in out
    assert ".conv" not in out
    stages = lines(
        ftcli("inspect-freeze", "timm/test_resnet", "--filter", "*.bn1.weight", "--depth", "stage")
    )
    assert "layer1.0" not in stages
    assert "tensors match '*.bn1.weight'" in stages
    told = ftcli("inspect-freeze", "timm/test_resnet", "--filter", "fc", "--json").json
    assert [p["name"] for p in told["phases"][0]["parameters"]] == ["fc.weight", "fc.bias"]


def test_what_changes_between_phases(ftcli):
    gradual = ("timm/test_resnet", "--strategy", "gradual", "--diff")
    every = lines(ftcli("inspect-freeze", *gradual))
    assert every.count("begins to train") == 5
    one = lines(ftcli("inspect-freeze", *gradual, "--phase", "2"))
    assert "+layer4 -> +layer3" in one
    assert one.count("begins to train") == 1
    told = ftcli("inspect-freeze", *gradual, "--json").json["changes"]
    assert [(change["before"], change["after"]) for change in told][:2] == [
        ("head", "+layer4"),
        ("+layer4", "+layer3"),
    ]
    assert [change["name"] for change in told[0]["changed"]] == ["layer4"]
    parameters = ftcli("inspect-freeze", *gradual, "--depth", "parameter", "--filter", "conv", "--json").json
    names = [change["name"] for change in parameters["changes"][0]["changed"]]
    assert names
    assert all("conv" in name and "layer4" in name for name in names)


def test_of_a_run_its_plan_and_how_it_ended(ftcli, toy, monkeypatch):
    monkeypatch.chdir(toy.path)
    out = lines(ftcli("inspect-freeze", "runs/toy"))
    assert "  run       runs/toy" in out
    assert "  finished  5 epochs, kept 4 in phase fine-tune" in out
    assert "  proof     0 of " in out
    assert "head" in out
    told = ftcli("inspect-freeze", "runs/toy", "--json").json
    done = json.loads((toy.run / "plan.json").read_text())
    assert [phase["name"] for phase in told["phases"]] == [phase["name"] for phase in done["phases"]]
    assert told["subject"] == "runs/toy"
    assert told["notes"][1].startswith("proof: 0 of ")


def test_a_checkpoint_in_a_run_shows_the_run(ftcli, toy, monkeypatch):
    monkeypatch.chdir(toy.path)
    of_file, of_run = (
        ftcli("inspect-freeze", name, "--json").json for name in ("runs/toy/best.safetensors", "runs/toy")
    )
    assert of_file == of_run


def test_a_model_file_on_its_own(ftcli, toy, tmp_path):
    path = shutil.copy(toy.run / "best.safetensors", tmp_path / "mine.safetensors")
    out = ftcli("inspect-freeze", path).out
    assert "a model on its own" in out
    assert "no optimizer given" in out
    told = ftcli("inspect-freeze", path, "--json").json
    assert (told["subject"], told["parameters"]) == (str(path), 372_979)
    (phase,) = told["phases"]
    assert (phase["name"], phase["optimizer"]) == ("now", None)
    refused = ftcli("inspect-freeze", path, "--diff")
    assert (refused.code, refused.out) == (2, "")


def test_strict_is_content_with_a_plan_that_is_right(ftcli):
    assert ftcli("inspect-freeze", *LP_FT, "--strict").code == 0


def test_strict_shows_the_page_and_then_fails(ftcli, run):
    changed_summary(run, changed=1, names=["conv1.weight"])
    assert ftcli("inspect-freeze", run).code == 0
    ended = ftcli("inspect-freeze", run, "--strict")
    assert ended.code == 6
    assert "1 frozen tensor moved during the run" in " ".join(ended.out.split())
    assert ended.err.splitlines()[0] == "error: --strict: 1 finding is an error"
    assert "conv1.weight" in ended.err


def test_strict_leaves_one_json_on_stdout(ftcli, run):
    changed_summary(run, changed=1, names=["conv1.weight"])
    ended = ftcli("inspect-freeze", run, "--strict", "--json")
    assert ended.code == 6
    assert [f["rule"] for f in ended.json["findings"] if f["severity"] == "error"] == ["frozen-tensor-moved"]
    assert "1 finding is an error" in ended.err


def test_a_file_beside_a_run_is_looked_at_itself(ftcli, toy, tmp_path):
    """Only best and last are the run's own; any other may be a model from elsewhere."""
    run = shutil.copytree(toy.run, tmp_path / "run")
    ended = ftcli("inspect-freeze", str(run / "nothing.safetensors"))
    assert (ended.code, "no such run folder or model file" in ended.err) == (3, True)
    shutil.copy(run / "best.safetensors", run / "other.safetensors")
    assert "a model on its own" in ftcli("inspect-freeze", str(run / "other.safetensors")).out
    assert "proof" in ftcli("inspect-freeze", str(run / "best.safetensors")).out
