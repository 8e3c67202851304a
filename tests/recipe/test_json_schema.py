"""The JSON Schema accepts what the tool accepts, and refuses what an editor should mark."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ftcli.recipe.examples import Example, examples, examples_folder
from ftcli.recipe.json_schema import recipe_schema
from ftcli.recipe.yaml_source import parse

SCHEMA = recipe_schema()
RECIPE: dict[str, Any] = {"data": "digits", "model": {"backbone": "timm/x"}, "strategy": "full"}


def errors(recipe: object) -> list[str]:
    return [error.message for error in Draft202012Validator(SCHEMA).iter_errors(recipe)]


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["title"] == "ftcli recipe"
    assert "$id" not in SCHEMA


def test_the_file_beside_the_examples_is_current() -> None:
    kept = json.loads((examples_folder() / "schema.json").read_text(encoding="utf-8"))
    assert kept == SCHEMA, "run: ftcli schema --out recipes/schema.json"


@pytest.mark.parametrize("example", examples(), ids=lambda e: e.name)
def test_it_accepts_the_examples(example: Example) -> None:
    assert errors(parse(example.text, example.name).data) == []


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": "sgd"},
        {"optimizer": {"lr": 1e-3}},
        {"schedule": {"warmup": "10%"}},
        {"schedule": {"warmup": 3}},
        {"augment": None},
        {"runtime": {"workers": "auto"}},
        {"layer_lr": {"kind": "stages", "lr": {"head": 1e-3}}},
    ],
)
def test_it_accepts(change: dict[str, Any]) -> None:
    assert errors(RECIPE | change) == []


@pytest.mark.parametrize(
    "change",
    [
        {"optimiser": "sgd"},
        {"optimizer": "adam"},
        {"optimizer": {"kind": "sgd", "betas": [0.9, 0.999]}},
        {"optimizer": {"lr": 0}},
        {"optimizer": {"lr": "fast"}},
        {"train": {"epochs": 0}},
        {"model": {"backbone": "resnet18"}},
        {"strategy": {"head_epochs": 3}},
    ],
)
def test_it_refuses(change: dict[str, Any]) -> None:
    assert errors(RECIPE | change)


@pytest.mark.parametrize("key", ["data", "model", "strategy"])
def test_it_asks_for_what_is_required(key: str) -> None:
    recipe = deepcopy(RECIPE)
    del recipe[key]
    assert errors(recipe)


def test_every_option_is_described() -> None:
    silent = [
        f"{name}.{key}"
        for name, options in SCHEMA["$defs"].items()
        for key, option in options["properties"].items()
        if key != "kind" and not option.get("description")
    ]
    assert silent == []
