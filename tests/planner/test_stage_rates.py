"""An advice names the LR of every stage, as the recipe that it writes trains them."""

from __future__ import annotations

import pytest
import yaml

from ftcli.planner.advice_recipe import recipe_text
from ftcli.planner.stage_rates import stage_rates
from ftcli.recipe.load import recipe_from
from ftcli.report.advice import stage_rates_told
from ftcli.workflows.inspect import inspect_recipe
from tests.planner.test_advise import advice


@pytest.mark.parametrize(
    ("images", "domain", "classes", "told"),
    [
        (200, "close", 10, "stem to layer4 frozen, head 1e-3"),
        (500, "far", None, "stem to layer2 frozen, layer3 to layer4 1e-5, head 1e-4"),
        (190, "0.84", 10, "stem to layer4 3e-4, head 1e-3"),
        (190, "chest-xray", 10, "stem to layer4 1e-4, head 1e-3"),
        (3_000_000, "far", 10, "stem to head 1e-3"),
        (5_000, "far", 10, "stem to layer2 1e-5, layer3 to layer4 1e-4, head 1e-3"),
    ],
)
def test_by_stage(images: int, domain: str, classes: int | None, told: str) -> None:
    made = advice(images, domain, classes)
    rates = stage_rates(made)
    assert stage_rates_told(rates) == told
    plan = inspect_recipe(recipe_from(yaml.safe_load(recipe_text(made))))
    trained = {
        group.stage: plan.optimizer.lr * group.lr_scale for phase in plan.phases for group in phase.groups
    }
    assert {stage: rate for stage, rate in rates.items() if rate is not None} == pytest.approx(trained)
