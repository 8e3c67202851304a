"""From a plan and what was counted to memory, time and disk."""

from __future__ import annotations

import json

import pytest

from ftcli.planner.compile import compile_plan
from ftcli.planner.estimate import Images, estimate
from ftcli.plans.data_facts import DataFacts
from ftcli.plans.estimate import Estimate, StepMemory
from ftcli.plans.forecast import Forecast
from ftcli.plans.prefix import PrefixCost
from ftcli.plans.preprocessing import IMAGENET
from ftcli.plans.training_plan import Machine
from ftcli.recipe.schema import Recipe
from tests.maps import resnet

IMAGES = Images(700, 150, 150, stretch=1.5, read_seconds=0.01)
COST = PrefixCost(0.9, 2_000)


def estimated(strategy: object, *, timed: bool = True, optimizer: str = "adamw") -> Estimate:
    content = {
        "data": "digits",
        "model": {"backbone": "torchvision/resnet18"},
        "strategy": strategy,
        "augment": "none",
        "optimizer": optimizer,
        "train": {"epochs": 10, "batch_size": 20},
    }
    costs = dict.fromkeys(range(20), COST)
    facts = DataFacts(("a", "b"), IMAGES.num_train, IMAGENET, prefix_costs=costs)
    recipe = Recipe.model_validate_json(json.dumps(content))
    plan = compile_plan(recipe, resnet(), facts, Machine("cpu"))
    counted = [StepMemory(1_000 * number, 100) for number, _ in enumerate(plan.phases, 1)]
    forecasts = [Forecast(phase.name, 1.0, 3.0, 5.0) for phase in plan.phases] if timed else []
    return estimate(plan, counted, forecasts, 4 * resnet().numel() + 64, IMAGES)


@pytest.mark.parametrize(("optimizer", "states"), [("adamw", 2), ("sgd", 1)])
def test_memory_is_the_documented_sum(optimizer: str, states: int) -> None:
    found, parameters = estimated("full", optimizer=optimizer), resnet().numel()
    assert found.trainable == found.parameters == parameters
    memory = found.memory
    assert (memory.weights, memory.gradients) == (4 * parameters + 64, 4 * parameters)
    assert memory.optimizer == 4 * states * parameters
    assert (memory.activations, memory.working) == (20 * 1_000, 2 * 20 * 100)
    assert memory.total == 4 * (2 + states) * parameters + 64 + 20_000 + 4_000


def test_the_phase_that_needs_most_is_told() -> None:
    found = estimated({"kind": "lp_ft", "head_epochs": 4})
    assert found.trainable == resnet().numel()
    assert found.memory.activations == 20 * 2_000


def test_time_is_that_of_every_epoch_and_of_what_comes_once() -> None:
    found = estimated({"kind": "lp_ft", "head_epochs": 4})
    assert found.seconds == 2 * 5.0 + 10 * 3.0
    assert found.reading_seconds == 10
    assert estimated("full", timed=False).seconds is None


def test_disk_holds_every_image_and_what_is_kept_of_the_frozen_part() -> None:
    assert estimated("full").pixel_bytes == 1_000 * 3 * 256 * 256 * 1.5
    assert estimated("full").feature_bytes == 0
    assert estimated("feature_extraction").feature_bytes == (700 + 150) * 2_000


def test_it_can_be_written_as_json() -> None:
    told = json.loads(json.dumps(estimated("full").to_dict()))
    assert told["memory"]["total"] == estimated("full").memory.total
