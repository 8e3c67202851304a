"""The plan of a recipe, or of a backbone by name, without weights and without a step."""

from __future__ import annotations

from ftcli.engine.network import Network
from ftcli.errors import DataError, RecipeError
from ftcli.plan.training_plan import TrainingPlan
from ftcli.planner.compile import DataFacts, compile_plan
from ftcli.recipe.check import check
from ftcli.recipe.schema import Recipe
from ftcli.workflows.prepare import machine_for, open_network, open_splits

UNKNOWN_CLASSES = tuple(f"class {number}" for number in range(10))


def inspect_recipe(recipe: Recipe) -> TrainingPlan:
    """The plan that `train` would perform. Where the data is not at hand, ten classes of unknown size are assumed."""
    classes, num_train = _data(recipe)
    return _compile(recipe, open_network(recipe, len(classes), meta=True), classes, num_train)


def inspect_backbone(name: str, strategy: str) -> TrainingPlan:
    """A backbone by name under a strategy with its defaults, for as many epochs as it has stages, at least ten."""
    content = {"data": {"kind": "digits"}, "model": {"backbone": name}, "strategy": {"kind": strategy}}
    recipe, problems = check(content)
    if recipe is None:
        raise RecipeError(*problems)
    network = open_network(recipe, len(UNKNOWN_CLASSES), meta=True)
    epochs = max(recipe.train.epochs, len(network.layer_map.stages))
    enough = recipe.model_copy(update={"train": recipe.train.model_copy(update={"epochs": epochs})})
    return _compile(enough, network, UNKNOWN_CLASSES, None)


def _compile(
    recipe: Recipe, network: Network, classes: tuple[str, ...], num_train: int | None
) -> TrainingPlan:
    facts = DataFacts(classes, num_train, network.preprocessing)
    return compile_plan(recipe, network.layer_map, facts, machine_for(recipe))


def _data(recipe: Recipe) -> tuple[tuple[str, ...], int | None]:
    try:
        splits = open_splits(recipe)
    except DataError:
        return UNKNOWN_CLASSES, None
    return splits.classes, len(splits.streams["train"])
