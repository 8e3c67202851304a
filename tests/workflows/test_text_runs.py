"""Runs on texts, from recipe to prediction: every strategy, the floor, the report on the test, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import ftcli
from ftcli.engine.run_folder import RunFolder
from ftcli.errors import DataError, GateError, ModelError, RecipeError
from ftcli.plans.tokenization import Tokenization
from ftcli.recipe.load import recipe_from
from ftcli.recipe.schema import Recipe
from ftcli.workflows.audit import audit_splits
from ftcli.workflows.evaluate import evaluate
from ftcli.workflows.inspect import inspect_backbone, inspect_recipe
from ftcli.workflows.lr_find import lr_find
from ftcli.workflows.prepare import open_splits
from ftcli.workflows.result import TrainResult
from ftcli.workflows.train import train
from tests.text_models import WORDS
from tests.text_toys import SUBJECTS, some_texts, text_recipe, write_encoder, write_table
from tests.toys import ignore

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    write_encoder(folder / "encoder")
    write_table(folder / "texts.jsonl", some_texts(120))
    return folder


def run(recipe: Recipe, out: Path) -> TrainResult:
    return train(recipe, out=out, resume=False, listener=ignore)


@pytest.fixture(scope="module")
def done(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has learned its task."""
    out = tmp_path_factory.mktemp("run") / "full"
    learning = {"optimizer": {"lr": 1e-2}, "layer_lr": "uniform", "train": {"epochs": 8, "batch_size": 16}}
    result = run(text_recipe(place, **learning), out)
    assert result.test.accuracy > 0.8
    assert result.floor is not None
    assert result.ceiling is not None
    assert result.ceiling.accuracy > result.floor.accuracy - 0.1
    return out


@pytest.mark.parametrize(
    ("strategy", "frozen"),
    [
        ("feature_extraction", {"stem", "layer.0", "layer.1", "pooler"}),
        ({"kind": "partial", "last_stages": 2}, {"stem", "layer.0"}),
        ({"kind": "gradual", "to_stage": "layer.1"}, {"stem", "layer.0"}),
        ({"kind": "lp_ft", "head_epochs": 1}, set()),
    ],
)
def test_every_strategy_trains_and_is_proved(
    place: Path, tmp_path: Path, strategy: Any, frozen: set[str]
) -> None:
    made = text_recipe(place, strategy=strategy, train={"epochs": 3, "batch_size": 16})
    plan = inspect_recipe(made)
    trained = {group.stage for phase in plan.phases for group in phase.groups}
    assert set(plan.layer_map.stages) - trained == frozen
    result = run(made, tmp_path / "run")
    assert result.frozen.changed == 0
    assert result.frozen.checked > 0
    assert result.test.num_examples == 18


def test_frozen_embeddings_and_lrs_by_range_of_layers(place: Path, tmp_path: Path) -> None:
    table = {"layer[:1]": 1e-4, "layer[1:]": 2e-4, "pooler": 2e-4, "head": 3e-4}
    made = text_recipe(
        place,
        strategy={"kind": "partial", "from_stage": "layer.0"},
        optimizer={"lr": 3e-4},
        layer_lr={"kind": "stages", "lr": table},
    )
    plan = inspect_recipe(made)
    rates = {group.stage: plan.optimizer.lr * group.lr_scale for group in plan.phases[0].groups}
    assert rates == pytest.approx({"layer.0": 1e-4, "layer.1": 2e-4, "pooler": 2e-4, "head": 3e-4})
    run(made, tmp_path / "run")


def test_features_are_kept_and_read_again(place: Path, tmp_path: Path) -> None:
    made = text_recipe(
        place,
        strategy="feature_extraction",
        train={"epochs": 5, "batch_size": 16},
        cache={"disk_gb": 0},
    )
    result = run(made, tmp_path / "run")
    assert result.reuse is not None
    assert (result.reuse.computed, result.reuse.read) == (84 + 18 + 18, 5 * (84 + 18) + 18)


def test_evaluation_gives_the_run_s_own_scores(done: Path) -> None:
    again, summary = evaluate(done), RunFolder(done)
    assert again["accuracy"] == pytest.approx(_summary(summary)["test"]["accuracy"])
    assert again["loss"] == pytest.approx(_summary(summary)["test"]["loss"], rel=1e-5)


def _summary(run: RunFolder) -> dict[str, Any]:
    import json

    found: dict[str, Any] = json.loads(run.summary.read_text())
    return found


def test_prediction_of_texts_and_of_files(done: Path, tmp_path: Path) -> None:
    texts = [" ".join(WORDS[:12]), " ".join(WORDS[-12:])]
    (tmp_path / "a.txt").write_text(texts[1])
    first, second, file = ftcli.predict(done, [*texts, tmp_path / "a.txt"])
    assert (first.label, second.label) == SUBJECTS
    assert first.image == "text 0"
    assert (file.label, file.image) == (second.label, str(tmp_path / "a.txt"))
    assert file.probability == pytest.approx(second.probability, rel=1e-5)
    with pytest.raises(DataError, match="takes texts, not images"):
        ftcli.predict(done, [Image.new("RGB", (8, 8))])


def test_a_model_s_file_is_all_that_prediction_needs(done: Path, place: Path, tmp_path: Path) -> None:
    """The encoder's folder and the run's may be gone."""
    copied = tmp_path / "model.safetensors"
    copied.write_bytes((done / "best.safetensors").read_bytes())
    encoder = place / "encoder"
    encoder.rename(place / "away")
    try:
        model = ftcli.open_model(copied)
        assert model.classes == SUBJECTS
        assert isinstance(model.preprocessing, Tokenization)
        assert model.module(torch.tensor([[1, 5, 2]], dtype=torch.int32)).shape == (1, 2)
        assert ftcli.predict(model, [" ".join(WORDS[:12])])[0].label == SUBJECTS[0]
    finally:
        (place / "away").rename(encoder)


def test_the_command_that_a_run_names_works(done: Path) -> None:
    command = _summary(RunFolder(done))["predict_command"]
    assert command.endswith("example.txt")
    assert (done / "example.txt").read_text(encoding="utf-8").split()[0] in WORDS


def test_long_and_empty_texts_are_told(place: Path, tmp_path: Path) -> None:
    write_encoder(tmp_path / "encoder")
    rows = [*some_texts(60), (" ".join(WORDS * 2), "first"), ("", "second")]
    write_table(tmp_path / "texts.jsonl", rows)
    data = {"kind": "text_csv", "path": str(tmp_path / "texts.jsonl"), "max_length": 20}
    result = run(text_recipe(tmp_path, data=data, strategy="feature_extraction"), tmp_path / "run")
    rules = {finding.rule for finding in result.findings}
    assert {"texts-cut-off", "empty-texts"} <= rules


def leaking(folder: Path) -> Path:
    """The same words, in other case and with other blanks, in train and in test."""
    rows = some_texts(60, words=(8, 14))
    lines = [{"text": t, "label": n, "split": "train"} for t, n in rows[:40]]
    lines += [{"text": t, "label": n, "split": "val"} for t, n in rows[40:50]]
    lines += [{"text": t, "label": n, "split": "test"} for t, n in rows[50:]]
    lines += [{"text": f" {rows[0][0].upper()} ", "label": rows[0][1], "split": "test"}]
    import json

    path = folder / "texts.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def test_one_text_in_train_and_test_is_found_and_the_score_told_without_it(tmp_path: Path) -> None:
    write_encoder(tmp_path / "encoder")
    leaking(tmp_path)
    made = text_recipe(tmp_path, strategy="feature_extraction")
    report = audit_splits(open_splits(made))
    (pair,) = report.pairs
    assert (pair.kind, pair.streams, pair.how) == ("exact", ("train", "test"), "the same words")
    assert "duplicate-across-splits" in {finding.rule for finding in report.errors}
    assert not [f for f in report.findings if "image" in f.message]
    result = run(made, tmp_path / "run")
    assert result.test.num_examples == 11
    assert result.test_without_leaks is not None
    assert result.test_without_leaks.num_examples == 10
    strict = {"kind": "text_csv", "path": str(tmp_path / "texts.jsonl"), "audit": "strict"}
    with pytest.raises(GateError, match="1 duplicate pair in train and test"):
        run(text_recipe(tmp_path, data=strict), tmp_path / "refused")


def test_a_range_of_lrs_is_tried_on_texts(place: Path) -> None:
    found = lr_find(
        text_recipe(place, strategy="feature_extraction"),
        phase=None,
        per_stage=False,
        steps=8,
        listener=ignore,
    )
    assert len(found.sweeps[0].losses) > 2


def test_a_text_encoder_is_inspected_by_name() -> None:
    plan = inspect_backbone("hf/bert", "scratch")
    assert plan.layer_map.stages[:3] == ("stem", "layer.0", "layer.1")


def test_an_image_classifier_does_not_take_texts(place: Path) -> None:
    made = text_recipe(place, model={"backbone": "timm/test_resnet", "weights": "none"})
    with pytest.raises(ModelError, match="takes images, not texts"):
        run(made, place / "never")


def test_a_text_encoder_does_not_take_images(place: Path) -> None:
    made = recipe_from(
        {"data": {"kind": "digits"}, "model": {"backbone": f"hf/{place / 'encoder'}"}, "strategy": "full"}
    )
    with pytest.raises(ModelError, match="takes texts, not images"):
        run(made, place / "never")


def test_an_architecture_has_no_tokenizer(place: Path) -> None:
    made = text_recipe(place, model={"backbone": "hf/bert", "weights": "none"}, strategy="scratch")
    with pytest.raises(ModelError, match=r"hf/bert comes without tokenizer\.json"):
        run(made, place / "never")


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"task": "image_classification"}, "data of kind text_csv are for task: text_classification"),
        ({"augment": "light"}, "augment: light varies images"),
    ],
)
def test_a_recipe_that_mixes_texts_and_images_is_refused(
    place: Path, sections: dict[str, Any], told: str
) -> None:
    content = text_recipe(place).model_dump(mode="json") | sections
    with pytest.raises(RecipeError) as caught:
        recipe_from(content)
    assert told in caught.value.problems[0].message


def test_docstrings_of_python_are_texts_for_everybody() -> None:
    made = recipe_from(
        {
            "task": "text_classification",
            "data": {"kind": "docstrings"},
            "model": {"backbone": "hf/bert"},
            "strategy": "full",
        }
    )
    splits = open_splits(made)
    assert len(splits.classes) == 8
    assert len(splits.examples) > 1000
    assert len({example.key for example in splits.examples}) == len(splits.examples)
    report = audit_splits(splits)
    assert {pair.kind for pair in report.pairs} <= {"near"}, "the same words are one example"
    assert splits.load(0)
