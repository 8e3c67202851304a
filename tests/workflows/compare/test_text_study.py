"""A study on texts: what its variants computed, and how many tokens they saw."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftcli.planner.variants import Asked, study_of
from ftcli.plans.study import Trial
from ftcli.recipe.overrides import apply
from ftcli.recipe.schema import Recipe
from ftcli.recipe.yaml_source import parse
from ftcli.report.compare import side_by_side
from ftcli.workflows.compare.run_study import run_study
from ftcli.workflows.prepare import prepare
from tests.text_toys import some_texts, text_recipe, write_encoder, write_table
from tests.toys import ignore

pytest.importorskip("transformers")


def test_strategies_side_by_side_on_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_encoder(tmp_path / "encoder")
    write_table(tmp_path / "texts.jsonl", some_texts(60, words=(6, 14)))
    made = text_recipe(tmp_path, train={"epochs": 2, "batch_size": 14}, seed=0)

    def recipe_of(trial: Trial) -> Recipe:
        document = parse(made.model_dump_json(), "toy.yaml")
        assert not apply(document, trial.overrides)
        return Recipe.model_validate_json(json.dumps(document.data))

    study = study_of(made, made.model_dump(mode="json"), Asked(strategies="probe,full"))
    found = run_study(study, recipe_of, tmp_path / "study", ignore)
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
