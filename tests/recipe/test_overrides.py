"""--set changes one value of a recipe, typed as YAML is."""

from __future__ import annotations

from typing import Any

import pytest

from ftcli.recipe.load import load, load_recipe
from tests.recipe.recipe_samples import RECIPE, Told, Write

GRADUAL = RECIPE.replace(
    "full", "{kind: gradual, schedule: [{stage: layer4, epoch: 1}, {stage: stem, epoch: 3}]}"
)


def value_at(recipe: Any, path: str) -> Any:
    for name in path.split("."):
        recipe = getattr(recipe, name)
    return recipe


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("optimizer.lr=1e-4", "optimizer.lr", 1e-4),
        ("optimizer.lr = 1e-4", "optimizer.lr", 1e-4),
        ("optimizer=sgd", "optimizer.kind", "sgd"),
        ("name=a=b".replace("a=b", "'ab'"), "name", "ab"),
        ("data.image_size=64", "data.image_size", 64),
        ("train.early_stopping={patience: 3}", "train.early_stopping.patience", 3),
        ("train.early_stopping.patience=3", "train.early_stopping.patience", 3),
        ("train.clip_norm=null", "train.clip_norm", None),
        ("train.clip_norm=", "train.clip_norm", None),
        ("strategy={kind: partial, train: [layer4, fc]}", "strategy.train", ("layer4", "fc")),
        ("model.head={kind: mlp, hidden: [256]}", "model.head.hidden", (256,)),
        ("schedule.warmup=5%", "schedule.warmup.fraction", 0.05),
        ("layer_lr={kind: stages, lr: {layer4.*: 1e-3}}", "layer_lr.lr", {"layer4.*": 1e-3}),
        ("strategy.kind=scratch", "strategy.kind", "scratch"),
    ],
)
def test_a_value_is_set(write: Write, override: str, path: str, value: object) -> None:
    assert value_at(load_recipe(write(RECIPE), [override]), path) == value


def test_an_item_of_a_list_is_set(write: Write) -> None:
    recipe = load_recipe(
        write(GRADUAL), ["strategy.schedule[1].epoch=5", "strategy.schedule[0].stage=layer3"]
    )
    assert [(step.stage, step.epoch) for step in recipe.strategy.schedule] == [("layer3", 1), ("stem", 5)]


def test_the_last_of_two_holds(write: Write) -> None:
    assert load_recipe(write(RECIPE), ["seed=1", "seed=2"]).seed == 2


def test_a_section_in_its_short_form_takes_options(write: Write) -> None:
    recipe = load_recipe(write(RECIPE), ["strategy=lp_ft", "strategy.head_epochs=2", "data.split.val=0.2"])
    assert (recipe.strategy.kind, recipe.strategy.head_epochs, recipe.data.split.val) == ("lp_ft", 2, 0.2)


def test_an_option_without_a_kind_goes_to_the_default_kind(write: Write) -> None:
    recipe = load_recipe(write(RECIPE), ["optimizer.weight_decay=0.1"])
    assert (recipe.optimizer.kind, recipe.optimizer.weight_decay) == ("adamw", 0.1)


def test_another_kind_keeps_the_options_and_tells_those_it_does_not_have(write: Write, told: Told) -> None:
    text = RECIPE + "optimizer: {kind: adamw, lr: 1e-4}\n"
    recipe = load_recipe(write(text), ["optimizer.kind=sgd"])
    assert (recipe.optimizer.kind, recipe.optimizer.lr) == ("sgd", 1e-4)
    (problem,) = told(text.replace("lr:", "eps:"), "optimizer.kind=sgd")
    assert (problem.at, problem.path) == ("x.yaml:4:26", "optimizer.eps")
    assert problem.remedy == "it is an option of adamw"


def test_a_whole_section_starts_anew(write: Write) -> None:
    text = RECIPE + "optimizer: {kind: adamw, lr: 1e-4, eps: 1e-6}\n"
    assert load_recipe(write(text), ["optimizer=sgd"]).optimizer.lr == 1e-2


@pytest.mark.parametrize(
    ("override", "path", "message"),
    [
        ("optimizer.lr=-1", "optimizer.lr", "expected a number above 0, got -1"),
        ("optimizer.lr=fast", "optimizer.lr", "expected a number, got 'fast'"),
        ("optimzer.lr=1", "optimzer", "there is no 'optimzer' here"),
        ("train={epochs: 0}", "train.epochs", "expected a number of at least 1, got 0"),
        ("strategy.kind=ful", "strategy.kind", "there is no kind 'ful' of strategy"),
        ("seed", "", "'seed' is not PATH=VALUE"),
        ("=3", "", "'=3' is not PATH=VALUE"),
        ("a..b=3", "", "'a..b=3' is not PATH=VALUE"),
        ("a[x]=3", "", "'a[x]=3' is not PATH=VALUE"),
        ("a b=3", "", "'a b=3' is not PATH=VALUE"),
        ("seed='1", "seed", "not valid YAML: while scanning a quoted scalar, found unexpected end of stream"),
        ("seed=!!int 1", "seed", "a tag (tag:yaml.org,2002:int) is not allowed"),
        ("train={epochs: 1, epochs: 2}", "train", "'epochs' is given twice, first in line 1"),
        ("task.name=1", "task.name", "task is 'image_classification', so there is no 'name' in it"),
        ("seed[0]=1", "seed[0]", "seed is 7, so there is no item 0"),
        ("model[0]=1", "model[0]", "model is a mapping, so there is no item 0"),
        ("train.foo[0]=1", "train.foo[0]", "train.foo is not given, so there is no item 0"),
        (".".join("a" * 99) + "=1", "", f"'{'.'.join('a' * 99)[:60]}' is not PATH=VALUE"),
    ],
)
def test_what_is_told_of_an_override(told: Told, override: str, path: str, message: str) -> None:
    (problem,) = told(f"{RECIPE}seed: 7\ntask: image_classification\n", override)
    assert (problem.path, problem.message) == (path, message)
    short = override if len(override) <= 60 else f"{override[:57]}..."
    assert problem.at == f"--set {short}"


def test_an_item_that_is_not_there(told: Told) -> None:
    (problem,) = told(GRADUAL, "strategy.schedule[2].epoch=5")
    assert problem.message == "strategy.schedule has 2 items, counted from 0; there is no item 2"
    assert problem.remedy == "set it as a whole: --set strategy.schedule=..."


def test_places_follow_the_overrides(write: Write) -> None:
    source = load(write(GRADUAL), ["strategy={kind: lp_ft, head_epochs: 2}", "optimizer.lr=1e-3"]).source
    assert source.at("strategy.head_epochs") == "--set strategy={kind: lp_ft, head_epochs: 2}"
    assert source.at("strategy.schedule[0]") == "--set strategy={kind: lp_ft, head_epochs: 2}"
    assert source.at("optimizer.eps") == "--set optimizer.lr=1e-3"
    assert source.at("data") == "x.yaml:1:1"
