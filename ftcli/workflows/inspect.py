"""The plan of a recipe, or of a backbone by name, without weights and without a step."""

from __future__ import annotations

from ftcli.errors import DataError
from ftcli.plan.training_plan import TrainingPlan
from ftcli.planner.compile import DataFacts, compile_plan
from ftcli.recipe.schema import Recipe
from ftcli.workflows.prepare import machine_for, open_network, open_splits

UNKNOWN_CLASSES = tuple(f"class {number}" for number in range(10))


def inspect_recipe(recipe: Recipe, *, look_at_data: bool = True) -> TrainingPlan:
    """The plan that `train` would perform. Where the data is not at hand, ten classes of unknown size are assumed."""
    classes, num_train = _data(recipe) if look_at_data else (UNKNOWN_CLASSES, None)
    network = open_network(recipe, len(classes), meta=True)
    facts = DataFacts(classes, num_train, network.preprocessing)
    return compile_plan(recipe, network.layer_map, facts, machine_for(recipe))


def inspect_backbone(name: str, strategy: str) -> TrainingPlan:
    """A backbone by name under a strategy with its defaults."""
    recipe = Recipe.model_validate(
        {
            "data": {"kind": "digits"},
            "model": {"backbone": name},
            "strategy": {"kind": strategy},
            "train": {"epochs": ENOUGH_EPOCHS},
        }
    )
    return inspect_recipe(recipe, look_at_data=False)


ENOUGH_EPOCHS = 1000
"""So that every phase of any strategy fits, however many stages a backbone has."""


def _data(recipe: Recipe) -> tuple[tuple[str, ...], int | None]:
    try:
        splits = open_splits(recipe)
    except DataError:
        return UNKNOWN_CLASSES, None
    return splits.classes, len(splits.streams["train"])
