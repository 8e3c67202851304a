"""Recipes as text, and what is told about them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftcli.errors import Problem, RecipeError
from ftcli.recipe.load import load_recipe
from tests.recipe.recipe_samples import Told, Write


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write text or bytes to x.yaml (or another name) in the current directory."""
    monkeypatch.chdir(tmp_path)

    def write_file(text: str | bytes, name: str = "x.yaml") -> Path:
        path = Path(name)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write_file


@pytest.fixture
def told(write: Write) -> Told:
    """The problems of a recipe's text, with overrides."""

    def problems(text: str | bytes, *overrides: str) -> list[Problem]:
        with pytest.raises(RecipeError) as error:
            load_recipe(write(text), overrides)
        return list(error.value.problems)

    return problems
