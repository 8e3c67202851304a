"""The study's shorter way has the result of `ftcli train`."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftcli.recipe.schema import Recipe
from tests.numerics.runs import run
from tests.studies.bare_run import KEPT, PICKS, bare_run
from tests.toys import recipe


@pytest.mark.parametrize("strategy", ["feature_extraction", "full", {"kind": "lp_ft", "head_epochs": 1}])
def test_test_scores_are_those_of_a_whole_run(strategy: object, digits: Path, tmp_path: Path) -> None:
    made: Recipe = recipe(
        digits, strategy=strategy, augment="light", train={"epochs": 3, "batch_size": 8}, seed=3
    )
    scores, seconds = bare_run(made)
    assert scores[KEPT] == run(made, tmp_path / "run").test
    made = made.model_copy(update={"train": made.train.model_copy(update={"checkpoint_rule": "best"})})
    assert scores["score, then loss"] == run(made, tmp_path / "best").test
    assert set(scores) == set(PICKS)
    assert seconds > 0
