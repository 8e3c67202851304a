"""Runs that learn a corpus, from recipe to summary: every strategy, perplexity before and after, what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from ftcli.engine.next_tokens import perplexity_of
from ftcli.engine.run_folder import RunFolder
from ftcli.errors import ModelError, RecipeError, UsageError
from ftcli.recipe.load import recipe_from
from ftcli.recipe.schema import Recipe
from ftcli.workflows.evaluate import evaluate
from ftcli.workflows.inspect import inspect_backbone, inspect_recipe
from ftcli.workflows.inspect_run import inspect_path
from ftcli.workflows.lr_find import lr_find
from ftcli.workflows.perplexity import perplexity_verdict
from ftcli.workflows.predict import predict
from ftcli.workflows.result import TrainResult
from ftcli.workflows.saved_model import load_saved
from ftcli.workflows.train import train
from tests.corpus_toys import VOCABULARY, corpus_recipe, some_document, write_corpus, write_decoder
from tests.text_toys import text_recipe, write_encoder, write_table
from tests.toys import ignore

pytest.importorskip("transformers")
SMALL_CONFIG = {"vocab_size": 300, "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 32}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_decoder(folder / "decoder")
    write_decoder(folder / "untied", "llama")
    write_corpus(folder / "corpus")
    return folder


def run(recipe: Recipe, out: Path) -> TrainResult:
    return train(recipe, out=out, resume=False, listener=ignore)


def summary_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RunFolder(folder).summary.read_text())
    return found


@pytest.fixture(scope="module")
def done(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has learned which word follows which."""
    out = tmp_path_factory.mktemp("run") / "full"
    run(corpus_recipe(place, train={"epochs": 6, "batch_size": 8}), out)
    return out


def test_perplexity_falls_from_guessing_and_the_summary_says_so(done: Path) -> None:
    found = summary_of(done)
    before, after, test = (found[name] for name in ("floor", "ceiling", "test"))
    assert before["perplexity"] == pytest.approx(VOCABULARY, rel=0.1), "random weights guess"
    assert after["perplexity"] < VOCABULARY / 3
    assert after["accuracy"] > 0.5
    for scores in (before, after, test):
        assert scores["perplexity"] == pytest.approx(math.exp(scores["loss"]))
        assert scores["macro_f1"] is None
    assert found["verdict_kind"] == "gain"
    assert found["verdict"].startswith("fine-tuning pays: perplexity 3")
    low, high = found["test_report"]["intervals"]["perplexity"]
    assert low < test["perplexity"] < high
    assert found["test_report"]["tokens"] == 16 * test["num_examples"]
    rows = [json.loads(line) for line in (done / "metrics.jsonl").read_text().splitlines()]
    assert [row["val"]["perplexity"] for row in rows if row["best"]][-1] == after["perplexity"]
    assert not (done / "test_predictions.csv").exists()


def test_evaluation_gives_the_run_s_own_scores(done: Path) -> None:
    again = evaluate(done)
    assert again["perplexity"] == pytest.approx(summary_of(done)["test"]["perplexity"], rel=1e-5)
    with pytest.raises(UsageError, match="no calibration"):
        evaluate(done, calibrate=True)


def test_the_score_is_the_loss_of_every_next_token(done: Path, place: Path) -> None:
    """Counted anew, a token at a time."""
    from ftcli.workflows.prepare import prepare

    prepared = prepare(corpus_recipe(place))
    assert prepared.store is not None
    model, store = load_saved(done), prepared.store
    losses = []
    for index in store.splits.streams["test"]:
        with torch.inference_mode():
            (log_p,) = model.forward(store[index][None]).log_softmax(-1)
        losses += [-log_p[at, token].item() for at, token in enumerate(store.target(index).tolist())]
    assert perplexity_of(sum(losses) / len(losses)) == pytest.approx(
        summary_of(done)["test"]["perplexity"], rel=1e-5
    )


@pytest.mark.parametrize(
    ("decoder", "strategy", "frozen"),
    [
        ("untied", "feature_extraction", {"stem", "layer.0", "layer.1"}),
        ("decoder", "feature_extraction", {"stem", "layer.0", "layer.1"}),
        ("decoder", {"kind": "partial", "last_stages": 1}, {"stem", "layer.0"}),
        ("untied", {"kind": "gradual", "to_stage": "layer.1"}, {"stem", "layer.0"}),
        ("untied", {"kind": "lp_ft", "head_epochs": 1}, set()),
    ],
)
def test_every_strategy_trains_and_is_proved(
    place: Path, tmp_path: Path, decoder: str, strategy: Any, frozen: set[str]
) -> None:
    model = {"backbone": f"hf/{place / decoder}"}
    made = corpus_recipe(place, model=model, strategy=strategy, train={"epochs": 3, "batch_size": 8})
    plan = inspect_recipe(made)
    trained = {group.stage for phase in plan.phases for group in phase.groups}
    assert set(plan.layer_map.stages) - trained == frozen
    result = run(made, tmp_path / "run")
    assert result.frozen.changed == 0
    assert result.frozen.checked > 0
    assert result.floor is not None
    assert result.ceiling is not None
    assert result.ceiling.loss < result.floor.loss
    if strategy == "feature_extraction":
        assert result.reuse is not None, "what enters the head is kept"
        assert result.reuse.read > result.reuse.computed


def test_each_layer_has_its_lr(place: Path) -> None:
    table = {"layer[:1]": 1e-4, "layer[1:]": 2e-4, "head": 3e-4}
    made = corpus_recipe(
        place,
        strategy={"kind": "partial", "from_stage": "layer.0"},
        optimizer={"lr": 3e-4},
        layer_lr={"kind": "stages", "lr": table},
    )
    plan = inspect_recipe(made)
    rates = {group.stage: plan.optimizer.lr * group.lr_scale for group in plan.phases[0].groups}
    assert rates == pytest.approx({"layer.0": 1e-4, "layer.1": 2e-4, "head": 3e-4})
    decay = inspect_recipe(corpus_recipe(place, layer_lr={"kind": "layer_decay", "decay": 0.5}))
    scales = {group.stage: group.lr_scale for group in decay.phases[0].groups}
    assert scales == pytest.approx({"stem": 0.125, "layer.0": 0.25, "layer.1": 0.5, "head": 1.0})
    assert {f.rule for f in decay.findings} >= {"tied-embeddings", "tokens-left-over"}
    untied = inspect_recipe(corpus_recipe(place, model={"backbone": f"hf/{place / 'untied'}"}))
    assert "tied-embeddings" not in {f.rule for f in untied.findings}


def test_a_plan_counts_sequences_as_the_run_does(place: Path, done: Path) -> None:
    plan = inspect_recipe(corpus_recipe(place))
    assert plan.data_known
    assert plan.num_train == json.loads((done / "plan.json").read_text())["num_train"] == 73
    assert inspect_backbone("hf/gpt2", "scratch").layer_map.stages[1] == "layer.0"


def test_a_language_is_learned_from_nothing_with_its_own_tokenizer(place: Path, tmp_path: Path) -> None:
    model = {"backbone": "hf/gpt2", "config": SMALL_CONFIG}
    made = corpus_recipe(place, model=model, strategy="scratch", train={"epochs": 4, "batch_size": 8})
    result = run(made, tmp_path / "run")
    assert result.verdict_kind == "scratch"
    assert result.floor is not None
    assert result.test.perplexity is not None
    assert result.test.perplexity < 0.5 * (result.floor.perplexity or 0)
    saved = load_saved(tmp_path / "run")
    assert len(saved.tokenizer.encode([some_document(20, 1)])[0].tokens) < 20 * 3
    again = evaluate(tmp_path / "run")
    assert again["loss"] == pytest.approx(result.test.loss, rel=1e-5)


def words_of_its_own(number: int) -> str:
    """Sixty words that no other document has: those of so small a language are near copies of each other."""
    return some_document(60, number).replace(" ", f"{number} ")


def test_one_document_in_train_and_test_is_found_and_the_score_told_without_it(
    place: Path, tmp_path: Path
) -> None:
    rows = [{"text": words_of_its_own(n), "split": "train"} for n in range(12)]
    rows += [{"text": words_of_its_own(50 + n), "split": "val"} for n in range(4)]
    rows += [{"text": words_of_its_own(70 + n), "split": "test"} for n in range(4)]
    rows += [{"text": words_of_its_own(3).upper(), "split": "test"}]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = {"kind": "corpus_csv", "path": str(tmp_path / "rows.jsonl"), "sequence_length": 16}
    result = run(corpus_recipe(place, data=data, train={"epochs": 1, "batch_size": 8}), tmp_path / "run")
    assert "duplicate-across-splits" in {finding.rule for finding in result.findings}
    assert result.test_without_leaks is not None
    # 5 documents of 61 tokens are 19 sequences; the leaked one is in the last four.
    assert (result.test.num_examples, result.test_without_leaks.num_examples) == (19, 15)


def test_a_perplexity_that_rises_is_harm(done: Path) -> None:
    from ftcli.events import Scores

    def scores(loss: float) -> Scores:
        return Scores(0.5, None, loss, 20, perplexity=perplexity_of(loss), loss_error=0.05)

    assert perplexity_verdict(scores(3.0), scores(2.0), True)[0] == "gain"
    assert perplexity_verdict(scores(3.0), scores(2.9), True)[0] == "no_clear_gain"
    assert perplexity_verdict(scores(2.0), scores(3.0), True)[0] == "below_floor"
    assert perplexity_verdict(scores(3.0), scores(2.0), False)[0] == "scratch"
    assert math.isfinite(perplexity_of(1e6))


def test_a_run_that_harms_says_so(done: Path, place: Path, tmp_path: Path) -> None:
    """The words in the other order, at a high LR."""
    backwards = tmp_path / "corpus"
    write_corpus(backwards)
    weights = {"backbone": f"hf/{place / 'decoder'}", "weights": str(done / "best.safetensors")}
    made = corpus_recipe(tmp_path, model=weights, optimizer={"lr": 1.0}, train={"epochs": 1, "batch_size": 8})
    result = run(made, tmp_path / "run")
    assert result.verdict_kind == "below_floor"
    assert "perplexity-rose" in {finding.rule for finding in result.findings}


def test_a_language_model_has_no_labels_to_predict(done: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("ba be")
    with pytest.raises(UsageError, match="no classes: it goes on with a text"):
        predict(done, [tmp_path / "a.txt"])


def test_models_of_another_task_are_refused(place: Path, tmp_path: Path) -> None:
    write_encoder(tmp_path / "encoder")
    with pytest.raises(ModelError, match="a text encoder, which sees what it should say"):
        run(corpus_recipe(place, model={"backbone": f"hf/{tmp_path / 'encoder'}"}), tmp_path / "never")
    write_table(tmp_path / "texts.jsonl", [(f"{n}", "ab"[n % 2]) for n in range(20)])
    with pytest.raises(ModelError, match="a language model, which has no classes"):
        run(text_recipe(tmp_path, model={"backbone": f"hf/{place / 'decoder'}"}), tmp_path / "never")
    (tmp_path / "bare").mkdir()
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "bare" / name).write_bytes((place / "decoder" / name).read_bytes())
    with pytest.raises(ModelError, match=r"comes without tokenizer\.json"):
        run(corpus_recipe(place, model={"backbone": f"hf/{tmp_path / 'bare'}"}), tmp_path / "never")
    model = {"backbone": "hf/gpt2", "config": SMALL_CONFIG | {"vocab_size": 100}}
    with pytest.raises(ModelError, match="no room for every byte"):
        run(corpus_recipe(place, model=model, strategy="scratch"), tmp_path / "never")


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"objective": "focal"}, "remove objective"),
        ({"train": {"sampler": "balanced"}}, "remove train.sampler"),
        ({"train": {"checkpoint_metric": "macro_f1"}}, "remove train.checkpoint_metric"),
        (
            {"train": {"checkpoint_rule": "last"}},
            "not by a loss; set train.checkpoint_rule: best",
        ),
        ({"task": "text_classification"}, "data of kind corpus are for task: causal_lm"),
        ({"augment": "light"}, "augment: light varies images"),
    ],
)
def test_what_needs_classes_is_refused(place: Path, sections: dict[str, Any], told: str) -> None:
    content = corpus_recipe(place).model_dump(mode="json") | sections
    with pytest.raises(RecipeError) as caught:
        recipe_from(content)
    assert told in caught.value.problems[0].message


def test_a_config_is_for_an_architecture_without_weights(place: Path) -> None:
    content = corpus_recipe(place).model_dump(mode="json")
    model = {"backbone": "hf/gpt2", "config": SMALL_CONFIG}
    for changed, told in (
        ({"model": model}, "model.config is for random weights"),
        ({"model": {**content["model"], "config": SMALL_CONFIG}}, "config changes an architecture"),
    ):
        with pytest.raises(RecipeError) as caught:
            recipe_from(content | changed)
        assert told in caught.value.problems[0].message


def test_a_range_of_lrs_is_tried_on_a_corpus(place: Path) -> None:
    made = corpus_recipe(place, strategy={"kind": "partial", "last_stages": 1})
    found = lr_find(made, phase=None, per_stage=False, steps=8, listener=ignore)
    assert len(found.sweeps[0].losses) > 2


def test_a_run_s_freezing_is_shown_as_it_was(done: Path) -> None:
    assert not [finding for finding in inspect_path(done).findings if finding.rule == "plan-differs"]
