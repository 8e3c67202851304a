"""`ftcli inspect-freeze`: what trains, of a recipe and of a backbone by name, offline and without weights."""

from __future__ import annotations

import socket

import pytest

BACKBONE = 11_176_512
"""Parameters of ResNet-18 without its classifier."""
HEAD = 512 * 10 + 10
"""Where nothing is known of the data, ten classes are assumed."""
RECIPE = "data: {kind: folder, path: not-here}\nmodel: {backbone: torchvision/resnet18}\nstrategy: full\n"


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
    import json

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
    ],
)
def test_what_it_refuses(ftcli, tmp_path, monkeypatch, arguments, code, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(RECIPE)
    ended = ftcli("inspect-freeze", *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert told in ended.err
