"""A study on texts: what its variants computed, and how many tokens they saw."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from ftcli.planner.variants import Asked, study_of
from ftcli.plans.study import Trial
from ftcli.recipe.overrides import apply
from ftcli.recipe.schema import Recipe
from ftcli.recipe.yaml_source import parse
from ftcli.report.compare import compare_view, side_by_side
from ftcli.report.html.comparison import best_variant
from ftcli.workflows.compare.comparison import Comparison
from ftcli.workflows.compare.run_study import run_study
from ftcli.workflows.prepare import prepare
from tests.corpus_toys import corpus_recipe, write_corpus, write_decoder
from tests.text_toys import some_texts, text_recipe, write_encoder, write_table
from tests.toys import ignore

pytest.importorskip("transformers")


def studied(made: Recipe, strategies: str, place: Path) -> Comparison:
    def recipe_of(trial: Trial) -> Recipe:
        document = parse(made.model_dump_json(), "toy.yaml")
        assert not apply(document, trial.overrides)
        return Recipe.model_validate_json(json.dumps(document.data))

    study = study_of(made, made.model_dump(mode="json"), Asked(strategies=strategies))
    return run_study(study, recipe_of, place / "study", ignore)


def test_strategies_side_by_side_on_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_encoder(tmp_path / "encoder")
    write_table(tmp_path / "texts.jsonl", some_texts(60, words=(6, 14)))
    made = text_recipe(tmp_path, train={"epochs": 2, "batch_size": 14}, seed=0)

    found = studied(made, "probe,full", tmp_path)
    cells = {cell.variant: cell for cell in found.cells}
    tokens = prepare(made).plan.tokens
    assert tokens is not None
    assert 8 <= tokens <= 16
    for cell in cells.values():
        assert cell.images_seen == 2 * 44
        assert cell.tokens_seen == round(2 * 44 * tokens)
    probe, full = cells["probe"].training_flops, cells["full"].training_flops
    assert probe is not None
    assert full is not None
    assert 4 < full / probe < 6.5, "two epochs of three passes against one"
    headers, rows = side_by_side(found)
    assert rows[0][headers.index("tokens")] == f"{cells['full'].tokens_seen:,.0f}"
    assert "-" not in rows[0][headers.index("FLOPs")]


def test_language_models_are_compared_by_perplexity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sequences are full: each has as many tokens as the recipe says. The lower perplexity is the best."""
    pytest.importorskip("peft")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_decoder(tmp_path / "decoder")
    write_corpus(tmp_path / "corpus")
    data = {"kind": "corpus", "path": str(tmp_path / "corpus"), "sequence_length": 16, "audit": "off"}
    made = corpus_recipe(tmp_path, data=data, generation={"max_tokens": 0}, seed=0)
    found = studied(made, "lora,full", tmp_path)
    assert (found.metric, found.best) == ("perplexity", "full")
    first, second = found.finalists
    full = found.runs[1].outcome
    assert full is not None
    assert first.mean == full.test["perplexity"]
    assert first.mean < 0.8 * second.mean
    assert first.tokens_seen == 16 * first.images_seen == 2 * 16 * first.num_train
    assert first.training_flops is not None
    assert first.training_flops > 6 * 3280 * first.tokens_seen, (
        "two for a weight and pass, of one block alone"
    )
    console = Console(width=100, record=True, file=StringIO())
    console.print(compare_view(found))
    page = console.export_text()
    assert "perplexity (less is better)" in page
    assert "is not tested" in page
    assert "McNemar" not in page
    assert "surely" not in best_variant(found)


@pytest.mark.parametrize("strategies", ["lora,full", "full,lora"])
def test_what_an_adapter_computes_is_counted_on_its_own_network(
    strategies: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes back through the frozen layers to the lowest adapter; only their weights' gradients are saved."""
    pytest.importorskip("peft")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_encoder(tmp_path / "encoder")
    write_table(tmp_path / "texts.jsonl", some_texts(60, words=(6, 14)))
    made = text_recipe(tmp_path, train={"epochs": 1, "batch_size": 14}, seed=0)
    flops = {cell.variant: cell.training_flops for cell in studied(made, strategies, tmp_path).cells}
    lora, full = flops["lora"], flops["full"]
    assert lora is not None
    assert full is not None
    assert 0.6 < lora / full < 1.6, "rank 8 is much beside a width of 16"
