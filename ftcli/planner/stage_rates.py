"""The LR of each stage under an advice: what a run of its recipe would begin with."""

from __future__ import annotations

import yaml

from ftcli.components import optimizer
from ftcli.planner.advice_recipe import recipe_text
from ftcli.planner.advise import Advice
from ftcli.planner.choose import choose_layer_lr
from ftcli.recipe.load import recipe_from
from ftcli.registry import implementation


def stage_rates(advice: Advice) -> dict[str, float | None]:
    """Stage -> its LR, by the recipe that would be written; None where no phase trains it."""
    recipe, layer_map = recipe_from(yaml.safe_load(recipe_text(advice))), advice.layer_map
    layer_lr, base_lr = choose_layer_lr(recipe).value, optimizer.spec(recipe.optimizer).lr
    scales = implementation(layer_lr, "scales")(layer_lr, layer_map, base_lr)
    drafts = implementation(recipe.strategy, "phases")(recipe.strategy, layer_map, recipe.train.epochs)
    names = {name for draft in drafts for name in draft.mask.trainable}
    trained = {layer_map.by_name[name].layer for name in names}
    rates: dict[str, float | None] = dict.fromkeys(layer_map.stages)
    for layer in layer_map.layers:
        if layer.index in trained:
            rates[layer.stage] = scales[layer.index] * base_lr
    return rates
