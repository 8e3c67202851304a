"""Of two epochs the better one is kept: by the checkpoint metric, and where that ties by the loss."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ftcli.engine.progress import Best
from ftcli.engine.records import beats
from ftcli.events import Scores


def _scores(accuracy: float, loss: float) -> Scores:
    return Scores(accuracy=accuracy, macro_f1=0.0, loss=loss, num_examples=8)


@pytest.mark.parametrize(
    ("metric", "new", "kept", "wins"),
    [
        ("accuracy", _scores(0.75, 0.9), _scores(0.5, 0.1), True),
        ("accuracy", _scores(0.5, 0.1), _scores(0.75, 0.9), False),
        ("accuracy", _scores(0.5, 0.1), _scores(0.5, 0.2), True),
        ("accuracy", _scores(0.5, 0.2), _scores(0.5, 0.2), False),
        ("accuracy", _scores(0.5, float("nan")), _scores(0.5, 0.2), False),
        ("loss", _scores(0.1, 0.1), _scores(0.9, 0.2), True),
        ("loss", _scores(0.9, 0.2), _scores(0.1, 0.2), False),
    ],
)
def test_a_better_score_wins_and_of_equal_ones_the_lesser_loss(metric, new, kept, wins):
    plan = SimpleNamespace(checkpoint_metric=metric)
    assert beats(plan, new, Best(0, "all", kept)) is wins


def test_the_first_epoch_is_the_best_so_far():
    assert beats(SimpleNamespace(checkpoint_metric="accuracy"), _scores(0.0, 9.0), None)
