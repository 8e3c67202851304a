"""`ftcli plan` without a recipe: advice, as a page, as JSON, as a recipe."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from ftcli.cli.plan import plan
from ftcli.errors import MachineError, RecipeError, UsageError
from ftcli.recipe.load import load_recipe

APP = typer.Typer()
APP.command()(plan)
SIZE = ("--dataset-size", "500", "--domain", "close", "--classes", "10")


def run(*arguments: str) -> Any:
    return CliRunner().invoke(APP, list(arguments))


def output(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.exception
    return str(result.stdout)


def test_the_page_says_what_to_train_and_why() -> None:
    text = output(*SIZE)
    assert text.startswith("advice: train the head (strategy feature_extraction)\n")
    assert "fewer than 100 a class, similar: feature extraction, head at 1e-3" in " ".join(text.split())
    assert "no table disagrees" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_json_stands_alone() -> None:
    told = json.loads(output(*SIZE, "--json"))
    assert (told["strategy"], told["lr"]["head"], told["chosen"]["table"]) == (
        "feature_extraction",
        1e-3,
        "B",
    )
    assert told["images_per_class"] == 50
    assert "kind: feature_extraction" in told["recipe"]


def test_the_advice_can_be_written_as_a_recipe_that_loads(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    assert f"wrote {file}" in output(*SIZE, "--write", str(file))
    assert load_recipe(file).strategy.kind == "feature_extraction"


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("precious")
    result = run(*SIZE, "--write", str(file))
    assert isinstance(result.exception, MachineError)
    assert result.exception.exit_code == 3
    assert file.read_text() == "precious"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    result = run(*SIZE, "--write", str(tmp_path / "no" / "mine.yaml"))
    assert isinstance(result.exception, MachineError)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "nothing to plan"),
        (("--dataset-size", "500"), "nothing to plan"),
        (("--domain", "close"), "nothing to plan"),
        (("--dataset-size", "0", "--domain", "close"), "0 images are no data set"),
        (("--dataset-size", "-5", "--domain", "close"), "-5 images are no data set"),
        (("--dataset-size", "500", "--domain", "nearby"), "there is no domain 'nearby'"),
        (("--dataset-size", "500", "--domain", "1.5"), "there is no domain '1.5'"),
        (("--dataset-size", "500", "--domain", "close", "--classes", "1"), "1 classes do not fit 500 images"),
        (
            ("--dataset-size", "500", "--domain", "close", "--classes", "501"),
            "501 classes do not fit 500 images",
        ),
        (("mine.yaml", *SIZE), "a recipe, and options for advice without one"),
    ],
)
def test_a_wrong_command_line_is_refused(arguments: tuple[str, ...], complaint: str) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, UsageError)
    assert result.exception.exit_code == 2
    assert complaint in result.exception.what


def test_a_size_that_is_no_number_is_refused() -> None:
    assert run("--dataset-size", "many", "--domain", "close").exit_code == 2


@pytest.mark.parametrize("backbone", ["resnet18", "timm/x\nseed: 1", "timm/[red]"])
def test_a_backbone_without_its_source_is_refused(backbone: str) -> None:
    result = run(*SIZE, "--backbone", backbone)
    assert isinstance(result.exception, RecipeError)


def test_advice_needs_no_torch() -> None:
    code = (
        "import sys; from ftcli.workflows.advise import advise; import ftcli.report.advice;"
        "advise(500, 'close', 10); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_of_a_recipe_the_plan_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("{data: digits, model: {backbone: torchvision/resnet18}, strategy: full}")
    text = output(str(file), "--set", "strategy=feature_extraction")
    assert text.startswith("Training plan\n")
    assert "5,130" in text
    assert json.loads(output(str(file), "--json"))["totals"]["parameters"] == 11_181_642


def test_a_split_that_the_data_has_already_is_told(ftcli, toy, place) -> None:
    """Where the recipe asks for another, in the plan and in the run."""
    lines = ["file_name,label,split"]
    for number, path in enumerate(sorted((toy.path / "digits").rglob("*.png"))):
        stream = ("train", "val", "test")[number % 3]
        lines.append(f"{path.relative_to(toy.path)},{path.parent.name},{stream}")
    (place / "list.csv").write_text("\n".join(lines))
    data = f"data={{kind: csv, path: list.csv, root: '{toy.path}', image_size: 32, split: {{test: 0.3}}}}"
    changes = (
        "--set",
        data,
        "--set",
        "train.sampler=weighted",
        "--set",
        "train.epochs=1",
        "--set",
        "strategy=full",
    )
    planned = ftcli("plan", "toy.yaml", *changes, "--json")
    assert planned.code == 0, planned.err
    trained = ftcli("train", "toy.yaml", *changes, "--json")
    assert trained.code == 0, trained.err
    for told in (planned.json, trained.json):
        rules = {finding["rule"]: finding for finding in told["findings"]}
        assert "test: 0.3 is not used" in rules["split-not-used"]["message"]
        assert "every one of them is 1" in rules["weights-all-alike"]["message"]
