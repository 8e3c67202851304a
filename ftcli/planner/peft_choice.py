"""Where adapters stand, told in the plan where a recipe left it open."""

from __future__ import annotations

from ftcli.planner.choose import Chosen
from ftcli.plans.layer_map import LayerMap
from ftcli.plans.peft_adapters import adapted_modules, last_words
from ftcli.plans.training_plan import Decision
from ftcli.recipe.schema import Recipe
from ftcli.registry import offers


def choose_targets(recipe: Recipe, layer_map: LayerMap) -> Chosen:
    """Whole names of modules; none leave nothing to tell."""
    modules = adapted_modules(p.name for p in layer_map.parameters if p.is_adapter)
    is_probe = not offers(recipe.strategy, "adapters")
    if not modules or is_probe or getattr(recipe.strategy, "target_modules", ()) is not None:
        return Chosen(modules, None)
    words = ", ".join(dict.fromkeys(last_words(module) for module in modules))
    where = recipe.strategy.from_stage or "the first stage above the stem"
    why = f"{len(modules)} linear layers and convolutions from {where} on"
    return Chosen(modules, Decision("target_modules", words, why))
