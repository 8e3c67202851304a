"""What a run says of each test image: it agrees with the score, and damaged files are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from ftcli.plans.data_splits import TEST, DataSplits, Example
from ftcli.workflows.predictions import predictions_of, read_predictions
from ftcli.workflows.train import train
from tests.toys import ignore, recipe


def test_a_run_keeps_them_and_they_make_its_accuracy(digits: Path, tmp_path: Path) -> None:
    result = train(recipe(digits), out=tmp_path / "run", resume=False, listener=ignore)
    kept = read_predictions(tmp_path / "run" / "predictions.json")
    assert kept is not None
    split = json.loads((tmp_path / "run" / "split.json").read_text())
    assert kept["keys"] == split["streams"]["test"]
    assert [kept["classes"][label] for label in kept["labels"]] == [key.split("/")[0] for key in kept["keys"]]
    right = sum(a == b for a, b in zip(kept["labels"], kept["predicted"], strict=True))
    assert right / len(kept["keys"]) == pytest.approx(result.test.accuracy)
    assert result.peak_memory is None or result.peak_memory > 2**26


def test_of_several_classes_all_are_named() -> None:
    examples = (Example("a", (0, 2)), Example("b", ()))
    splits = DataSplits("made", ("x", "y", "z"), examples, {TEST: (0, 1)}, lambda i: pytest.fail("read"))
    logits = torch.tensor([[1.0, -1.0, 0.0], [-2.0, 3.0, -1.0]])
    labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    kept = predictions_of(splits, TEST, logits, labels)
    assert (kept["labels"], kept["predicted"]) == ([[0, 2], []], [[0, 2], [1]])


@pytest.mark.parametrize(
    "text", ["", "[]", '{"keys": []}', '{"classes":[],"keys":["a"],"labels":[],"predicted":[]}']
)
def test_what_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "predictions.json").write_text(text)
    assert read_predictions(tmp_path / "predictions.json") is None
    assert read_predictions(tmp_path / "nowhere.json") is None
