"""The lines above a plan's table: what is varied, weighed and drawn, by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ftcli.planner.compile import compile_plan
from ftcli.plans.data_facts import DataFacts
from ftcli.plans.preprocessing import IMAGENET
from ftcli.plans.training_plan import Machine
from ftcli.recipe.schema import Recipe
from ftcli.report.plan_header import plan_header
from tests.report.report_samples import in_pipe, resnet18


def header(counts: tuple[int, ...] | None = (900, 100), **sections: Any) -> dict[str, str]:
    """Label -> text, on a page that is wide enough."""
    content = {
        "data": "digits",
        "model": {"backbone": "torchvision/resnet18"},
        "strategy": "full",
        **sections,
    }
    recipe = Recipe.model_validate_json(json.dumps(content))
    facts = DataFacts(("a", "b"), 1000, IMAGENET, counts)
    plan = compile_plan(recipe, resnet18(2), facts, Machine("cpu"))
    lines = in_pipe(plan_header(plan), width=200).splitlines()[1:]
    return {parts[0]: parts[1].strip() for line in lines if len(parts := line.strip().split("  ", 1)) == 2}


@pytest.mark.parametrize(
    ("augment", "line"),
    [
        ("none", "none"),
        ("light", "light: RandomResizedCrop(224, 0.7-1), RandomHorizontalFlip"),
        (
            {"kind": "light", "flip": False, "mix": "mixup"},
            "light, no flip: RandomResizedCrop(224, 0.7-1), MixUp(0.2)",
        ),
        (
            {"kind": "strong", "policy": "rand_augment"},
            "strong: RandomResizedCrop(224, 0.08-1), RandomHorizontalFlip, RandAugment(2, 9), RandomErasing(0.25)",
        ),
    ],
)
def test_augmentation_by_the_names_of_its_transforms(augment: Any, line: str) -> None:
    assert header(augment=augment)["augment"] == line


def test_what_is_as_usual_has_no_line() -> None:
    assert not {"objective", "sampler"} & header().keys()


@pytest.mark.parametrize(
    ("objective", "line"),
    [
        ("focal", "focal, gamma 2"),
        (
            {"kind": "cross_entropy", "class_weights": "balanced"},
            "cross-entropy, balanced class weights 0.556 to 5",
        ),
        ({"kind": "focal", "gamma": 1, "class_weights": {"a": 2}}, "focal, gamma 1, class weights 1 to 2"),
    ],
)
def test_an_objective_that_weighs(objective: Any, line: str) -> None:
    assert header(objective=objective)["objective"] == line


def test_weights_that_wait_for_the_data() -> None:
    waiting = header(counts=None, objective={"kind": "focal", "class_weights": "balanced"})["objective"]
    assert waiting == "focal, gamma 2, balanced class weights, once the data is known"


def test_a_sampler_that_draws() -> None:
    line = header(train={"sampler": "balanced"})["sampler"]
    assert line == "balanced: 1,000 examples an epoch, drawn each class equally often"


def test_the_metric_that_was_chosen() -> None:
    assert header()["epoch kept"] == "the last, or the best validation macro_f1"
    assert header(counts=None)["epoch kept"] == "the last, or the best validation accuracy"
    assert header(schedule={"kind": "constant"})["epoch kept"] == "the best validation macro_f1"
