"""A recipe file becomes a Recipe, or every mistake in it with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftcli.errors import Problem, RecipeError, UsageError
from ftcli.recipe.load import load, load_recipe, with_places
from ftcli.recipe.yaml_source import MAX_BYTES
from ftcli.registry import Options
from tests.recipe.recipe_samples import RECIPE, Told, Write


def test_three_lines_are_a_recipe(write: Write) -> None:
    recipe = load_recipe(write(RECIPE))
    assert (recipe.name, recipe.strategy.kind, recipe.optimizer.kind) == ("x", "full", "adamw")
    assert recipe == load_recipe(str(write(RECIPE)))


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("lp-ft.yaml", "lp-ft"),
        ("my recipe (2).yml", "my-recipe-2"),
        (".hidden.yaml", "hidden"),
        ("é.yaml", "run"),
    ],
)
def test_the_file_names_the_run(write: Write, file: str, name: str) -> None:
    assert load_recipe(write(RECIPE, file)).name == name


def test_a_given_name_is_kept(write: Write) -> None:
    assert load_recipe(write(RECIPE + "name: mine\n")).name == "mine"


def test_lists_and_numbers_inside_of_choices(write: Write) -> None:
    recipe = load_recipe(
        write(
            "data: digits\nmodel: {backbone: timm/x, head: {kind: mlp, hidden: [256, 64]}}\n"
            "strategy: {kind: gradual, schedule: [{stage: layer4, epoch: 1}]}\n"
            "optimizer: {lr: 1e-4, betas: [0.9, 0.98]}\nschedule: {warmup: 5%}\n"
            "layer_lr: {kind: discriminative, divisors: [100, 10]}\n"
        )
    )
    assert recipe.model.head.hidden == (256, 64)
    assert recipe.strategy.schedule[0].stage == "layer4"
    assert (recipe.optimizer.lr, recipe.optimizer.betas) == (1e-4, (0.9, 0.98))
    assert recipe.schedule.warmup.fraction == pytest.approx(0.05)
    assert recipe.layer_lr.divisors == (100.0, 10.0)


def test_every_list_of_an_option_can_be_given() -> None:
    """Strict validation, of a recipe whose lists are tuples, takes no list: an option has `Many`."""
    kinds = [Options]
    for kind in kinds:
        kinds += kind.__subclasses__()
        lists = [name for name, field in kind.model_fields.items() if "list[" in str(field.annotation)]
        assert not lists, (kind, lists)
    assert len(kinds) > 50


def test_on_is_a_key(write: Write) -> None:
    text = RECIPE.replace("full", "{kind: gradual, on: plateau}")
    assert load_recipe(write(text)).strategy.on == "plateau"


def test_a_byte_order_mark_and_windows_lines_do_no_harm(write: Write, told: Told) -> None:
    assert load_recipe(write(b"\xef\xbb\xbf" + RECIPE.replace("\n", "\r\n").encode())).seed == 0
    (problem,) = told(b"\xef\xbb\xbfsed: 1\r\n" + RECIPE.encode())
    assert problem.at == "x.yaml:1:1"


@pytest.mark.parametrize(
    ("line", "at", "path", "message", "remedy"),
    [
        ("optimizer: {lr: -1}", "4:13", "optimizer.lr", "expected a number above 0, got -1", None),
        ("optimizer: {lr: 11}", "4:13", "optimizer.lr", "expected a number of at most 10, got 11", None),
        ("optimizer: {lr: .inf}", "4:13", "optimizer.lr", "expected a finite number, got Infinity", None),
        (
            "optimizer: {lr: '1e-4'}",
            "4:13",
            "optimizer.lr",
            "expected a number, got '1e-4'",
            "write 0.0001, without quotes or underscores",
        ),
        (
            "train: {epochs: 1_000}",
            "4:9",
            "train.epochs",
            "expected a whole number, got '1_000'",
            "write 1000, without quotes or underscores",
        ),
        ("train: {epochs: 2.5}", "4:9", "train.epochs", "expected a whole number, got 2.5", None),
        ("train: {epochs: true}", "4:9", "train.epochs", "expected a whole number, got true", None),
        ("train: {epochs: ten}", "4:9", "train.epochs", "expected a whole number, got 'ten'", None),
        ("train: {epochs: }", "4:9", "train.epochs", "expected a whole number, got nothing", None),
        ("train: {epochs: [1, 2]}", "4:9", "train.epochs", "expected a whole number, got a list of 2", None),
        (
            "augment: {kind: light, flip: no}",
            "4:24",
            "augment.flip",
            "expected true or false, got 'no'",
            None,
        ),
        (
            "optimizer: {weigth_decay: 1}",
            "4:13",
            "optimizer.weigth_decay",
            "there is no 'weigth_decay' here",
            "did you mean 'weight_decay'?",
        ),
        ("epochs: 3", "4:1", "epochs", "there is no 'epochs' here", "did you mean train.epochs?"),
        (
            "norm: {kind: train, domain: far}",
            "4:21",
            "norm.domain",
            "there is no 'domain' here",
            "it is an option of auto",
        ),
        (
            "runtime: {zzz: 1}",
            "4:11",
            "runtime.zzz",
            "there is no 'zzz' here",
            "allowed: device, workers, image_memory_gb, exact, cuda_graphs, depthwise, deterministic, compile, "
            "fold_bn, crops",
        ),
        (
            "train: {checkpoint_metric: f1}",
            "4:9",
            "train.checkpoint_metric",
            "expected 'auto', 'accuracy', 'balanced_accuracy', 'macro_f1', 'mean_average_precision', 'perplexity' or "
            "'loss', got 'f1'",
            "did you mean 'macro_f1'?",
        ),
        (
            "runtime: {device: gpu}",
            "4:11",
            "runtime.device",
            "expected 'auto', 'cpu' or 'cuda', got 'gpu'",
            "did you mean 'cuda'?",
        ),
        (
            "augment: mixup",
            "4:1",
            "augment.kind",
            "there is no kind 'mixup' of augment",
            "write augment: {kind: light, mix: mixup}",
        ),
        (
            "schedule: early_stopping",
            "4:1",
            "schedule.kind",
            "there is no kind 'early_stopping' of schedule",
            "did you mean train.early_stopping?",
        ),
        ("kfold: 5", "4:1", "kfold", "there is no 'kfold' here", "did you mean data.split.folds?"),
        (
            "objective: {class_weights: {cat: heavy}}",
            "4:29",
            "objective.class_weights.cat",
            "expected a number, got 'heavy'",
            None,
        ),
        (
            "objective: {kind: focal, class_weights: {cat: -1}}",
            "4:42",
            "objective.class_weights.cat",
            "expected a number of at least 0, got -1",
            None,
        ),
        (
            "objective: {class_weights: balance}",
            "4:13",
            "objective.class_weights",
            "expected 'none' or 'balanced' or a mapping, got 'balance'",
            "did you mean 'balanced'?",
        ),
        (
            "optimizer: adam",
            "4:1",
            "optimizer.kind",
            "there is no kind 'adam' of optimizer",
            "did you mean 'adamw'?",
        ),
        (
            "optimizer: {kind: lion}",
            "4:13",
            "optimizer.kind",
            "there is no kind 'lion' of optimizer",
            "kinds: adamw, sgd",
        ),
        (
            "optimizer: 3",
            "4:1",
            "optimizer",
            "expected a kind, or a mapping with kind, got 3",
            "kinds: adamw, sgd",
        ),
        (
            "augment: {flip: true}",
            "4:1",
            "augment",
            "kind is missing",
            "kinds: none, flip, features, light, standard, strong",
        ),
        (
            "train: {precision: bf61}",
            "4:9",
            "train.precision",
            "expected 'auto', 'fp32', 'bf16' or 'fp16', got 'bf61'",
            "did you mean 'bf16'?",
        ),
        (
            "runtime: {workers: many}",
            "4:11",
            "runtime.workers",
            "expected a whole number or 'auto', got 'many'",
            None,
        ),
        (
            "train: {early_stopping: 3}",
            "4:9",
            "train.early_stopping",
            "expected a mapping, got 3",
            "{patience, min_delta}; default off.",
        ),
        (
            "layer_lr: {kind: stages, lr: {head: 20}}",
            "4:31",
            "layer_lr.lr.head",
            "expected a number of at most 10, got 20",
            None,
        ),
        ("optimizer: {betas: [0.9]}", "4:13", "optimizer.betas[1]", "is missing", None),
        (
            "layer_lr: {kind: discriminative, lowest: 1e-5}",
            "4:1",
            "layer_lr",
            "lowest and highest go together",
            None,
        ),
        (
            "layer_lr: {divisors: [10], backbone_divisor: 10}",
            "4:1",
            "layer_lr",
            "give one of backbone_divisor, lowest with highest, and divisors",
            None,
        ),
    ],
)
def test_what_is_told_of_one_mistake(
    told: Told, line: str, at: str, path: str, message: str, remedy: str | None
) -> None:
    (problem,) = told(RECIPE + line)
    assert problem == Problem(path, message, remedy, f"x.yaml:{at}")


def test_what_is_missing_is_told_at_what_should_hold_it(told: Told) -> None:
    missing = told("model: {weights: none}\nstrategy: {kind: gradual, schedule: [{stage: layer4}]}\n")
    assert [(p.at, p.path, p.message) for p in missing] == [
        ("x.yaml:1:1", "data", "is missing"),
        ("x.yaml:1:1", "model.backbone", "is missing"),
        ("x.yaml:2:38", "strategy.schedule[0].epoch", "is missing"),
    ]
    assert missing[1].remedy is not None
    assert "torchvision/resnet18" in missing[1].remedy


def test_every_mistake_at_once_in_the_order_of_the_file(told: Told) -> None:
    text = """\
data: digits
model: {backbone: resnet18}
optimizer:
  kind: adamm
  lr: -1
  lr: 2
strategy:
  kind: lp_ft
  every: 2
1: 2
train: {epoch: 3}
"""
    found = [(p.at, p.path) for p in told(text, "seed=-1", "nonsense")]
    assert found == [
        ("x.yaml:2:9", "model.backbone"),
        ("x.yaml:4:3", "optimizer.kind"),
        ("x.yaml:5:3", "optimizer.lr"),
        ("x.yaml:6:3", "optimizer.lr"),
        ("x.yaml:9:3", "strategy.every"),
        ("x.yaml:10:1", ""),
        ("x.yaml:11:9", "train.epoch"),
        ("--set seed=-1", "seed"),
        ("--set nonsense", ""),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the recipe is empty: it needs data, model and strategy"),
        ("# only a comment\n", "the recipe is empty: it needs data, model and strategy"),
        ("--- null", "the recipe is empty: it needs data, model and strategy"),
        ("- a\n- b\n", "expected a mapping with data, model and strategy at the top"),
        ("just text", "expected a mapping with data, model and strategy at the top"),
        (RECIPE.encode("utf-16"), "not UTF-8"),
        (RECIPE + "name: \xe9".encode("latin-1").decode("latin-1"), "expected text of the form"),
        (b"a: \xff", "not UTF-8"),
        ("a" * (MAX_BYTES + 1), f"more than {MAX_BYTES:,} bytes are no recipe"),
    ],
)
def test_files_that_are_no_recipe(told: Told, text: str | bytes, message: str) -> None:
    (problem,) = told(text)
    assert problem.message.startswith(message)
    assert problem.at is not None
    assert problem.at.startswith("x.yaml:")


def test_the_place_of_a_byte_that_is_not_utf_8(told: Told) -> None:
    assert told(b"data: digits\nname: \xff\n")[0].at == "x.yaml:2:7"


def test_a_file_that_cannot_be_read(write: Write, tmp_path: Path) -> None:
    for path in ("nowhere.yaml", tmp_path, "nul\0.yaml"):
        with pytest.raises(UsageError) as error:
            load_recipe(path)
        assert error.value.exit_code == 2
        assert not isinstance(error.value, RecipeError)


def test_later_problems_are_told_with_their_places(write: Write) -> None:
    text = RECIPE.replace("strategy: full", "strategy:\n  kind: partial\n  train: [layer9]")
    loaded = load(write(text), ["train.epochs=3"])
    paths = ("strategy.train", "strategy.train[0]", "strategy.from_stage", "train.epochs", "optimizer.lr")
    assert [loaded.source.at(path) for path in paths] == [
        "x.yaml:5:3",
        "x.yaml:5:11",
        "x.yaml:3:1",
        "--set train.epochs=3",
        "x.yaml:1:1",
    ]
    known = Problem("strategy.train[0]", "b", at="elsewhere")
    error = with_places(RecipeError(Problem("strategy.train[0]", "a", "r"), known), loaded.source)
    assert error.problems == (Problem("strategy.train[0]", "a", "r", "x.yaml:5:11"), known)
