"""What answers at once imports nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ftcli.recipe.examples import find_example

HEAVY = ("torch", "torchvision", "timm", "numpy", "sklearn", "PIL")
RECIPE = str(find_example("quickstart").path)


def imported_by(*arguments: str) -> set[str]:
    """Every module that `ftcli ARGUMENTS` imports, in a process of its own."""
    code = (
        "import sys\nfrom ftcli.__main__ import main\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_imports_typer_and_no_more(argument: str) -> None:
    modules = imported_by(argument)
    assert "typer" in modules
    assert not modules & {*HEAVY, "pydantic", "yaml", "rich", "ftcli.registry", "ftcli.components"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["validate", RECIPE],
        ["validate", "--help"],
        ["schema"],
        ["recipes", "ls"],
        ["train", "--help"],
        ["plan", "--help"],
        ["compare", "--help"],
    ],
    ids=" ".join,
)
def test_paper_commands_import_no_torch(arguments: list[str]) -> None:
    assert not imported_by(*arguments) & set(HEAVY)


def test_a_right_recipe_needs_no_rich() -> None:
    assert "rich" not in imported_by("validate", RECIPE)


def test_importing_ftcli_imports_nothing() -> None:
    code = "import sys; before = set(sys.modules); import ftcli; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"ftcli", "__future__"}


def test_only_the_command_that_is_called_is_imported() -> None:
    commands = {Path(name).name for name in imported_by("recipes", "ls") if name.startswith("ftcli.cli.")}
    assert commands == {f"ftcli.cli.{name}" for name in ("app", "outcome", "options", "output", "recipes")}


def test_a_list_that_is_kept_needs_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = imported_by("models", "ls", "resnet18", "--source", "torchvision")
    assert "torch" in first
    again = imported_by("models", "ls", "resnet18", "--source", "torchvision")
    assert not again & {*HEAVY, "transformers", "scipy"}


def test_an_output_that_cannot_be_written_is_told_before_torch_is_imported(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "note.txt").write_text("mine")
    code = "import sys\nfrom ftcli.__main__ import main\ntry:\n    main()\nfinally:\n    print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, "train", RECIPE, "--out", str(tmp_path / "taken")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert not set(done.stdout.split()) & set(HEAVY)
