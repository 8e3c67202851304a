"""`ftcli models ls` and `ftcli models show`."""

from __future__ import annotations

import json

import pytest

from ftcli.cli.app import call
from ftcli.errors import ModelError


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        call(["models", *arguments])
    assert not ended.value.code


def test_ls(capsys: pytest.CaptureFixture[str]) -> None:
    run("ls", "resnet1*", "--source", "torchvision")
    assert capsys.readouterr().out.splitlines() == [
        "torchvision/resnet101  IMAGENET1K_V2",
        "torchvision/resnet152  IMAGENET1K_V2",
        "torchvision/resnet18   IMAGENET1K_V1",
    ]


def test_ls_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    run("ls", "vit_h_14", "--json")
    (listed,) = json.loads(capsys.readouterr().out)["backbones"]
    assert listed == {"name": "torchvision/vit_h_14", "weights": "IMAGENET1K_SWAG_E2E_V1"}


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    run("show", "timm/test_resnet")
    shown = capsys.readouterr().out
    assert shown.startswith("timm/test_resnet\n")
    assert "layer4" in shown


def test_show_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    run("show", "torchvision/resnet18", "--json")
    card = json.loads(capsys.readouterr().out)
    assert [stage["name"] for stage in card["stages"]] == ["stem", "layer1", "layer2", "layer3", "layer4"]


def test_an_unknown_name_ends_with_the_code_for_models() -> None:
    with pytest.raises(ModelError) as caught:
        call(["models", "show", "timm/resnet81"])
    assert caught.value.exit_code == 5


def test_ls_of_transformers(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("transformers")
    run("ls", "convnext*", "--source", "hf")
    assert capsys.readouterr().out.splitlines() == ["hf/convnext    -", "hf/convnextv2  -"]


def test_show_of_transformers(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("transformers")
    run("show", "hf/vit")
    shown, told = capsys.readouterr()
    assert shown.startswith("hf/vit\n")
    assert "layer" in shown
    assert ".11 " in shown
    assert not told


def test_exceptions(capsys: pytest.CaptureFixture[str]) -> None:
    """What the table names is refused, for the reason that it gives."""
    run("exceptions", "--json")
    sources = {each["source"]: each for each in json.loads(capsys.readouterr().out)["sources"]}
    assert not sources["torchvision"]["exceptions"]
    assert sources["timm"]["opens"] / sources["timm"]["total"] >= 0.99
    name, reason = next(iter(sources["timm"]["exceptions"].items()))
    with pytest.raises(ModelError, match=reason):
        call(["models", "show", f"timm/{name}"])


def test_exceptions_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    run("exceptions")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("hf/siglip2 ") for line in lines)
