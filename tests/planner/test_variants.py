"""What a study expands to: the product, by names that can be read and folders that can be made."""

from __future__ import annotations

import re

import pytest

from ftcli.errors import UsageError
from ftcli.planner.variants import Asked, study_of
from ftcli.plans.study import Study
from ftcli.recipe.examples import examples
from ftcli.recipe.load import load_recipe, recipe_from

CONTENT = {
    "name": "toy",
    "data": "digits",
    "model": {"backbone": "timm/x"},
    "strategy": {"kind": "lp_ft", "head_epochs": 2},
}


def study(weights: str = "default", **asked: object) -> Study:
    recipe = recipe_from({**CONTENT, "model": {"backbone": "timm/x", "weights": weights}})
    return study_of(recipe, recipe.model_dump(mode="json"), Asked(**asked))  # type: ignore[arg-type]


def test_every_strategy_with_every_value_size_and_seed() -> None:
    made = study(
        strategies="probe,lp_ft,scratch",
        vary=["optimizer.lr=1e-4,1e-3", "train.epochs=5,6"],
        seeds="0,7",
        sizes="50,100,all",
    )
    assert len(made.variants) == 3 * 2 * 2
    assert len(made.trials) == 12 * 2 * 3
    names = [trial.name for trial in made.trials]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.\-]*", name) for name in names)
    first, last = made.trials[0], made.trials[-1]
    assert first.name == "probe-lr-1e-4-epochs-5-n50"
    assert first.variant == "probe, lr=1e-4, epochs=5"
    assert first.overrides == (
        "strategy=feature_extraction",
        "optimizer.lr=1e-4",
        "train.epochs=5",
        "data.split.train_size=50",
    )
    assert last.name == "scratch-lr-1e-3-epochs-6-seed7"
    assert last.overrides == (
        "strategy=scratch",
        "optimizer.lr=1e-3",
        "train.epochs=6",
        "seed=7",
    )
    assert [trial.size for trial in made.trials[:24]] == [50] * 24, "small ones first"


def test_what_the_recipe_says_stays_where_nothing_is_asked() -> None:
    made = study(strategies="full,lp_ft")
    assert [(t.name, t.overrides) for t in made.trials] == [("full", ("strategy=full",)), ("lp_ft", ())]
    assert {(t.size, t.seed) for t in made.trials} == {("all", 0)}
    seeds = study(seeds="0,2")
    assert [(t.name, t.variant) for t in seeds.trials] == [("recipe", "recipe"), ("recipe-seed2", "recipe")]


def test_a_size_of_the_recipe_s_own_is_as_if_nobody_had_asked() -> None:
    recipe = recipe_from({**CONTENT, "data": {"kind": "digits", "split": {"train_size": 40}}})
    made = study_of(recipe, recipe.model_dump(mode="json"), Asked(sizes="40,all"))
    assert [(t.name, t.overrides) for t in made.trials] == [
        ("recipe", ()),
        ("recipe-nall", ("data.split.train_size=null",)),
    ]


def test_scratch_takes_no_file_of_weights_along() -> None:
    made = study("start.safetensors", strategies="full,scratch")
    assert made.variants[0].overrides == ("strategy=full",)
    assert made.variants[1].overrides == ("strategy=scratch", "model.weights=none")


def test_commas_in_brackets_and_quotes_are_values_own() -> None:
    made = study(vary=["augment={kind: light, flip: false},none", "strategy.x={a: {b: 1, c: 2}},'c, d'"])
    assert [v.overrides for v in made.variants] == [
        ("augment={kind: light, flip: false}", "strategy.x={a: {b: 1, c: 2}}"),
        ("augment={kind: light, flip: false}", "strategy.x='c, d'"),
        ("augment=none", "strategy.x={a: {b: 1, c: 2}}"),
        ("augment=none", "strategy.x='c, d'"),
    ]


def test_names_that_would_be_one() -> None:
    made = study(vary=["a.kind=x,y", "b.kind=x,y"])
    assert made.variants[0].name == "a.kind=x, b.kind=x"
    alike = study(vary=["train.epochs=+5,5"])
    assert [variant.slug for variant in alike.variants] == ["epochs-5", "epochs-5-2"]


def test_the_commands_of_the_example_studies() -> None:
    """What the header of an example tells to call makes a study of it."""
    commands = [(e, line) for e in examples() for line in e.text.splitlines() if "ftcli compare" in line]
    assert commands
    for example, line in commands:
        _, _, name, *options = line.lstrip("# ").split()
        assert name == f"recipes/{example.name}.yaml"
        given = dict(zip(options[::2], options[1::2], strict=True))
        recipe = load_recipe(example.path)
        asked = Asked(given.get("--strategies"), (), given.get("--seeds"), given.get("--sizes"))
        assert len(study_of(recipe, {}, asked).trials) > 2


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "one run alone is nothing to compare"),
        ({"strategies": "full"}, "one run alone"),
        ({"strategies": "ful,probe"}, "there is no strategy 'ful'"),
        ({"strategies": "full,full"}, "full stands there twice"),
        ({"seeds": "0,x"}, "'x' is no seed"),
        ({"seeds": "0,,1"}, "no list with commas"),
        ({"sizes": "50,1"}, "'1' is neither a number of training examples nor all"),
        ({"sizes": ""}, "no list with commas"),
        ({"vary": ["lr"]}, "not PATH=VALUE,VALUE"),
        ({"vary": ["a=1,2", "a=3"]}, "a varies twice"),
        ({"vary": ["a=[1,2"]}, "no list with commas"),
    ],
)
def test_what_cannot_be(asked: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        study(**asked)  # type: ignore[arg-type]
