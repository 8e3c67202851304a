"""A model that says one thing, or no more than the largest class, is told so with both numbers."""

from __future__ import annotations

import pytest
import torch

from ftcli.findings import Finding
from ftcli.workflows.last_look import last_look

CLASSES = ("cat", "dog", "owl")


def told(
    predicted: list[int],
    labels: list[int],
    train_counts: tuple[int, ...] = (5, 20, 5),
    *,
    evened: bool = False,
) -> list[Finding]:
    logits = torch.nn.functional.one_hot(torch.tensor(predicted), 3).float()
    return list(last_look(logits, torch.tensor(labels), CLASSES, train_counts, evened=evened))


@pytest.mark.parametrize("answer", [1, 2])
def test_one_class_for_everything(answer: int) -> None:
    (finding,) = told([answer] * 4, [0, 1, 1, 2])
    assert finding.rule == "predicts-one-class"
    assert f"calls all 4 test examples {CLASSES[answer]!r}" in finding.message
    assert f"test accuracy {(0.25, 0.5)[answer == 1]:.1%}" in finding.message
    assert "saying 'dog', the most frequent in training, every time has 50.0%" in finding.message


def test_no_better_than_the_most_frequent_class_of_training() -> None:
    (finding,) = told([0, 1, 0, 1], [0, 1, 1, 2])
    assert (finding.rule, finding.severity) == ("no-better-than-majority", "warning")
    assert "test accuracy 50.0%" in finding.message
    assert "has 50.0%" in finding.message


def test_what_was_done_already_is_no_remedy() -> None:
    (uneven,), (evened,) = (told([1] * 4, [0, 1, 1, 2], evened=done) for done in (False, True))
    assert "train.sampler: balanced" in str(uneven.remedy)
    assert "balanced" not in str(evened.remedy)
    assert "optimizer.lr" in str(evened.remedy)


def test_a_model_that_has_learned_is_left_alone() -> None:
    assert told([0, 1, 1, 1], [0, 1, 1, 2]) == []
    assert told([0, 1, 0, 1], [0, 1, 1, 2], (20, 5, 5)) == [], "the baseline is what training had most of"
    assert told([1, 1], [1, 1]) == [], "a test of one class tells nothing"
