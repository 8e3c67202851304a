"""The JSON Schema of a recipe, for editors: completion, descriptions and errors while typing."""

from __future__ import annotations

import json
from typing import Any

from ftcli.recipe.schema import Recipe


def recipe_schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12; descriptions are the docstrings of the options."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Recipe.model_json_schema(),
        "title": "ftcli recipe",
    }


def schema_text() -> str:
    """The content of `recipes/schema.json`."""
    return json.dumps(recipe_schema(), indent=2, ensure_ascii=False) + "\n"
