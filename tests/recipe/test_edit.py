"""Values changed in a recipe's text: the meaning is as asked, everything else stays as it was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftcli.errors import RecipeError
from ftcli.recipe.edit import edit
from ftcli.recipe.examples import Example, examples
from ftcli.recipe.load import load_recipe

START = "# mine\ndata: digits  # small\nmodel: {backbone: timm/resnet18}\nstrategy: full\n"
RATES = ["optimizer.lr=0.0012", "layer_lr={kind: stages, lr: {stem: 1e-05, head: 0.003}}"]


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (
            "optimizer:\n  kind: sgd  # old\n  lr: 1  # much\n",
            "optimizer:\n  kind: sgd  # old\n  lr: 0.0012  # much\n",
        ),
        ("optimizer: {kind: sgd, lr: 1}\n", "optimizer: {kind: sgd, lr: 0.0012}\n"),
        ("optimizer: {kind: sgd}\n", "optimizer: {lr: 0.0012, kind: sgd}\n"),
        ("optimizer: sgd\n", "optimizer: {kind: sgd, lr: 0.0012}\n"),
        ("optimizer:\n    kind: sgd\nseed: 1\n", "optimizer:\n    lr: 0.0012\n    kind: sgd\nseed: 1\n"),
        ("", "\noptimizer: {lr: 0.0012}\n"),
    ],
)
def test_an_lr(section: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(START + section)
    assert edit(path, ["optimizer.lr=0.0012"]) == START + expected


@pytest.mark.parametrize(
    "section",
    [
        "layer_lr:\n  kind: stages\n  lr:\n    head: 1  # one\n\n# of the loop\ntrain: {epochs: 2}\n",
        "layer_lr: {kind: stages, lr: {head: 1}}\n",
        "layer_lr: uniform\n",
        "",
    ],
)
def test_a_whole_section(section: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(START + section)
    text = edit(path, RATES)
    path.write_text(text)
    recipe = load_recipe(path)
    assert recipe.optimizer.lr == 0.0012
    assert recipe.layer_lr.lr == {"stem": 1e-5, "head": 3e-3}
    assert text.startswith(START)
    assert ("# of the loop\ntrain: {epochs: 2}" in text) == ("train" in section)


@pytest.mark.parametrize("example", examples(), ids=lambda e: e.name)
def test_every_example(example: Example, tmp_path: Path) -> None:
    path = tmp_path / f"{example.path.stem}.yaml"
    path.write_text(edit(example.path, RATES))
    assert load_recipe(path) == load_recipe(example.path, RATES)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (["model.backbone=timm/resnet34"], "model: {backbone: timm/resnet34}"),
        (["data.split.val=0.3"], "data: {kind: digits, split: {val: 0.3}}  # small"),
        (["train.epochs=3", "train.batch_size=8"], "train: {batch_size: 8, epochs: 3}"),
        (["strategy.kind=scratch"], "strategy: scratch"),
        (["strategy={kind: partial, last_stages: 1}"], "strategy: {kind: partial, last_stages: 1}"),
        (["seed=1", "seed=2"], "seed: 2"),
        (["data=folder", "data.path=mine, small"], 'data: {kind: folder, path: "mine, small"}  # small'),
        (["schedule.warmup=2"], "schedule:\n  warmup: 2\n  kind: linear  # down"),
        (
            [
                "strategy={kind: gradual, schedule: [{epoch: 1, stage: layer4}, {epoch: 3, stage: layer3}]}",
                "strategy.schedule[1].epoch=2",
            ],
            "[{epoch: 1, stage: layer4}, {epoch: 2, stage: layer3}]",
        ),
    ],
)
def test_whatever_set_takes(changes: list[str], expected: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"{START}schedule:\n  kind: linear  # down\n")
    text = edit(path, changes)
    assert expected in text
    assert "# mine" in text
    assert "# down" in text
    before = load_recipe(path, changes)
    path.write_text(text)
    assert load_recipe(path) == before


@pytest.mark.parametrize("values", [["optimizer.lr=1e-2"], ["optimizer.lr=1e-2", "seed=1"]])
def test_what_an_alias_shares_is_refused(values: list[str], tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    shared = "optimizer: {kind: adamw, lr: &rate 1e-3}\nlayer_lr: {kind: stages, lr: {head: *rate}}\n"
    path.write_text(START + shared)
    with pytest.raises(RecipeError) as error:
        edit(path, values)
    (problem,) = error.value.problems
    assert problem.at == str(path)
    assert problem.remedy == "write them out, without anchors and aliases"
