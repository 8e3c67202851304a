"""From a recipe to the network it asks for."""

from __future__ import annotations

import pytest

from ftcli.recipe.schema import Recipe
from ftcli.workflows.open_network import open_network


@pytest.mark.parametrize(
    ("strategy", "weights", "note"),
    [("scratch", "default", "random"), ("full", "none", "random"), ("full", "default", "of timm")],
)
def test_from_scratch_no_weights_are_asked_for(strategy: str, weights: str, note: str) -> None:
    model = {"backbone": "timm/test_resnet", "weights": weights}
    recipe = Recipe.model_validate({"data": "digits", "model": model, "strategy": strategy})
    assert note in open_network(recipe, 3, meta=True).weights_note
