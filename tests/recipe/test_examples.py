"""Every example recipe is right, says what it is, and is found by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftcli.errors import UsageError
from ftcli.recipe.examples import Example, examples, examples_folder, find_example
from ftcli.recipe.load import load_recipe

EXAMPLES = examples()


def test_there_are_some() -> None:
    names = {example.name for example in EXAMPLES}
    assert {"vision/quickstart", "vision/lp-ft", "studies/scratch-baseline"} <= names


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_it_is_valid(example: Example) -> None:
    assert load_recipe(example.path).name == example.path.stem


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_its_header(example: Example) -> None:
    first, second, *rest = example.text.splitlines()
    assert first.startswith("# ")
    assert len(first) <= 100
    assert second == "# yaml-language-server: $schema=../schema.json"
    assert any(f"ftcli train recipes/{example.name}.yaml" in line for line in rest)


def test_every_file_there_is_an_example() -> None:
    files = {path for path in examples_folder().rglob("*") if path.is_file() and path.name != "schema.json"}
    assert files == {example.path for example in EXAMPLES}


def test_a_copy_names_itself_and_not_the_schema(tmp_path: Path) -> None:
    example = find_example("quickstart")
    copy = tmp_path / "mine.yaml"
    text = example.as_copy(copy)
    assert "schema" not in text
    assert f"ftcli train {copy}" in text
    copy.write_text(text)
    assert load_recipe(copy).strategy == load_recipe(example.path).strategy


@pytest.mark.parametrize("name", ["vision/quickstart", "quickstart", "vision/quickstart.yaml"])
def test_it_is_found_by_name(name: str) -> None:
    assert find_example(name).name == "vision/quickstart"


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("quikstart", "did you mean 'vision/quickstart'?"), ("../../x", "there are: studies/learning-curves")],
)
def test_the_nearest_is_named(name: str, remedy: str) -> None:
    with pytest.raises(UsageError) as error:
        find_example(name)
    assert error.value.remedy is not None
    assert error.value.remedy.startswith(remedy)
