"""Of two epochs the better one is kept: by the checkpoint metric, and where that ties by the loss; and the last where
it is as good."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ftcli.engine.progress import Best, Progress
from ftcli.engine.records import beats, note
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


EPOCHS = 5
TWO_ERRORS = 0.1132
"""Of 40 right of 50: 2 sqrt(p (1 - p) / 52), p = 41 / 52."""


def _kept(accuracies, *, rule="last", metric="accuracy", counts=(), frozen=0, examples=50):
    """The epochs that are kept and the best of them with the backbone, of a run with these scores on validation."""
    plan = SimpleNamespace(
        checkpoint_metric=metric, checkpoint_rule=rule, epochs=EPOCHS, early_stopping=None, phases=()
    )
    progress = Progress()
    for epoch, accuracy in enumerate(accuracies):
        phase = SimpleNamespace(name="all", plateau=None, trains_backbone=epoch >= frozen)
        progress.epoch = epoch
        scores = Scores(accuracy=accuracy, macro_f1=accuracy, loss=1 - accuracy, num_examples=examples)
        note(plan, progress, phase, scores, counts)
    return progress.best.epoch, progress.ceiling and progress.ceiling.epoch


@pytest.mark.parametrize(
    ("last", "kept"),
    [(0.9, 4), (0.8, 4), (0.8 - TWO_ERRORS + 1e-3, 4), (0.8 - TWO_ERRORS - 1e-3, 1), (0.1, 1)],
)
def test_the_last_epoch_is_kept_within_two_standard_errors_of_the_best(last, kept):
    assert _kept([0.5, 0.8, 0.7, 0.79, last]) == (kept, kept)


def test_of_many_examples_the_error_is_small():
    assert _kept([0.5, 0.8, 0.7, 0.79, 0.78], examples=50) == (4, 4)
    assert _kept([0.5, 0.8, 0.7, 0.79, 0.78], examples=10_000) == (1, 1)


def test_no_epoch_before_the_last_is_kept_for_being_as_good():
    assert _kept([0.5, 0.8, 0.7, 0.79]) == (1, 1), "the run has not come to its end"


def test_where_the_plan_asks_for_the_best_score_it_is_the_best_score():
    assert _kept([0.5, 0.8, 0.7, 0.79, 0.79], rule="best") == (1, 1)


def test_few_examples_of_one_class_make_a_mean_over_classes_unsure():
    of_classes = {"metric": "macro_f1", "examples": 5000}
    assert _kept([0.5, 0.8, 0.7, 0.79, 0.72], counts=(2500, 2500), **of_classes) == (1, 1)
    assert _kept([0.5, 0.8, 0.7, 0.79, 0.72], counts=(4995, 5), **of_classes) == (4, 4)


def test_the_ceiling_is_of_epochs_in_which_the_backbone_trains():
    assert _kept([0.5, 0.8, 0.7, 0.79, 0.79], frozen=5) == (4, None)
    assert _kept([0.5, 0.8, 0.2, 0.3, 0.25], frozen=2) == (1, 4), "harm is seen, and its weights are not kept"


def test_a_fifth_is_worse_on_however_few_examples():
    assert _kept([0.5, 0.5, 0.5, 0.5, 0.31], examples=7) == (4, 4)
    assert _kept([0.5, 0.5, 0.5, 0.5, 0.29], examples=7) == (0, 0)
