"""A dumped recipe loads back to an equal one."""

from __future__ import annotations

import pytest
import yaml

from ftcli.recipe.dump import dump_recipe
from ftcli.recipe.examples import Example, examples
from ftcli.recipe.load import load_recipe
from tests.recipe.recipe_samples import RECIPE, Write

OVERRIDES = (
    (),
    ("name='1e5'",),
    ("name='010'", "model.weights='on'"),
    ("optimizer={lr: 1e-7, eps: 1e-12, betas: [0.5, 0.25]}",),
    ("strategy={kind: gradual, schedule: [{stage: layer4, epoch: 1}]}",),
    ("strategy={kind: gradual, on: plateau, patience: 3}",),
    ("layer_lr={kind: stages, lr: {'layer4.*': 1e-3, '1': 1e-4}}",),
    ("layer_lr={kind: discriminative, lowest: 1e-6, highest: 1e-3}",),
    ("schedule={kind: step, milestones: [1, 2.5], warmup: 2}",),
    ("train={clip_norm: null, early_stopping: {}}",),
    ("data={kind: csv, path: 'a: b # c', label_column: 'true'}",),
)


@pytest.mark.parametrize("overrides", OVERRIDES, ids=lambda o: "; ".join(o))
def test_it_loads_back_equal(write: Write, overrides: tuple[str, ...]) -> None:
    recipe = load_recipe(write(RECIPE), overrides)
    again = load_recipe(write(dump_recipe(recipe), "other.yaml"))
    assert again == recipe


@pytest.mark.parametrize("example", examples(), ids=lambda e: e.name)
def test_the_examples_load_back_equal(write: Write, example: Example) -> None:
    recipe = load_recipe(example.path)
    assert load_recipe(write(dump_recipe(recipe), "other.yaml")) == recipe


def test_defaults_are_written_out(write: Write) -> None:
    data = yaml.safe_load(dump_recipe(load_recipe(write(RECIPE))))
    assert data["optimizer"]["lr"] == 1e-3
    assert data["train"]["batch_size"] == 32
    split = {
        "by": "ratio",
        "val": 0.15,
        "test": 0.15,
        "file": None,
        "folds": None,
        "fold": 0,
        "train_size": None,
    }
    images = {"image_size": None, "on_bad_image": "stop", "max_pixels": 64_000_000, "audit": "warn"}
    assert data["data"] == {"kind": "digits", **images, "split": split}
