"""`ftcli validate`: what it prints, and its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftcli.cli.app import call
from ftcli.cli.outcome import run

RECIPE = "data: digits\nmodel: {backbone: torchvision/resnet18}\nstrategy: full\n"


@pytest.fixture(autouse=True)
def recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.yaml").write_text(RECIPE)
    Path("bad.yaml").write_text(RECIPE + "optimizer: {lr: -1}\nsedd: 3\n")


def test_a_recipe_that_is_right(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(call, ["validate", "good.yaml"]) == 0
    assert capsys.readouterr() == ("ok  good.yaml\n", "")


def test_every_file_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(call, ["validate", "none.yaml", "bad.yaml", "good.yaml"]) == 2
    captured = capsys.readouterr()
    assert captured.out == "ok  good.yaml\n"
    assert captured.err.splitlines() == [
        "error: there is no recipe none.yaml",
        "  ftcli recipes ls: examples to start from",
        "error: the recipe has 2 problems",
        "  bad.yaml:4:13: optimizer.lr: expected a number above 0, got -1",
        "  bad.yaml:5:1: sedd: there is no 'sedd' here",
        "      did you mean 'seed'?",
    ]


def test_overrides(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(call, ["validate", "good.yaml", "--set", "strategy=lp_ft", "--set", "seed=3"]) == 0
    assert run(call, ["validate", "good.yaml", "--set", "seed=x"]) == 2
    assert "--set seed=x: seed: expected a whole number, got 'x'" in capsys.readouterr().err


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(call, ["validate", "good.yaml", "bad.yaml", "none.yaml", "--json"]) == 2
    captured = capsys.readouterr()
    good, bad, none = json.loads(captured.out)["recipes"]
    assert captured.err == ""
    assert good == {"recipe": "good.yaml", "ok": True, "problems": []}
    assert [problem["path"] for problem in bad["problems"]] == ["optimizer.lr", "sedd"]
    assert bad["problems"][1] == {
        "path": "sedd",
        "message": "there is no 'sedd' here",
        "remedy": "did you mean 'seed'?",
        "at": "bad.yaml:5:1",
    }
    assert none["problems"][0]["message"] == "there is no recipe none.yaml"
