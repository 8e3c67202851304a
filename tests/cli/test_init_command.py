from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from ftcli.cli.app import call
from ftcli.errors import MachineError
from ftcli.recipe.load import load_recipe


@pytest.fixture
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for label in ("cats", "dogs"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for number in range(5):
            Image.new("RGB", (9, 9)).save(tmp_path / "pets" / label / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    return Path("pets")


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        call(["init", *arguments])
    assert not ended.value.code


def test_a_recipe_is_written_and_the_next_command_told(
    pets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("pets", "--out", "mine.yaml")
    shown = capsys.readouterr().out
    assert "2 classes, 6 train, 2 val, 2 test" in shown
    assert shown.endswith("next: ftcli plan mine.yaml\n")
    assert load_recipe("mine.yaml").data.path == "pets"


def test_json_stands_alone_on_stdout(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("pets", "--json", "--backbone", "torchvision/resnet18")
    result = json.loads(capsys.readouterr().out)
    assert result["recipe"] == "recipe.yaml"
    assert result["data"]["classes"] == ["cats", "dogs"]
    assert result["backbone"] == "torchvision/resnet18"
    assert "text" not in result


@pytest.mark.parametrize("taken", ["file", "folder", "dangling link"])
def test_what_is_there_is_never_overwritten(pets: Path, taken: str) -> None:
    out = Path("mine.yaml")
    if taken == "file":
        out.write_text("precious")
    elif taken == "folder":
        out.mkdir()
    else:
        out.symlink_to("elsewhere.yaml")
    with pytest.raises(MachineError, match=r"mine\.yaml is there already") as caught:
        call(["init", "pets", "--out", "mine.yaml"])
    assert caught.value.exit_code == 3
    assert caught.value.remedy
    assert not Path("elsewhere.yaml").exists()
    assert taken != "file" or out.read_text() == "precious"


def test_a_folder_that_is_not_there_is_told_before_the_images_are_looked_at(pets: Path) -> None:
    with pytest.raises(MachineError, match="no folder gone"):
        call(["init", "no-such-data", "--out", "gone/mine.yaml"])


def test_a_file_that_appears_meanwhile_is_left_alone(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ftcli.cli.new_file.check_new", lambda out, option: out.write_text("precious"))
    with pytest.raises(MachineError, match=r"mine\.yaml is there already"):
        call(["init", "pets", "--out", "mine.yaml"])
    assert Path("mine.yaml").read_text() == "precious"
