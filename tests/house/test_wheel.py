"""A wheel holds every room and the example recipes, and works away from the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a wheel of this checkout is unpacked into."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for name in ("ftcli", "recipes"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "LICENSE", "README.md"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", str(source / "dist"), str(source)], check=True)
    (wheel,) = (source / "dist").glob("*.whl")
    ZipFile(wheel).extractall(target)
    return target


@pytest.mark.slow
def test_the_examples_are_in_it(installed: Path) -> None:
    def files(root: Path) -> set[str]:
        return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}

    assert files(installed / "ftcli" / "example_recipes") == files(ROOT / "recipes")


@pytest.mark.slow
def test_it_works_away_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    def ftcli(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "ftcli", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(installed)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    assert "vision/quickstart" in ftcli("recipes", "ls")
    assert ftcli("recipes", "cp", "quickstart") == "quickstart.yaml\n"
    assert ftcli("validate", "quickstart.yaml") == "ok  quickstart.yaml\n"
