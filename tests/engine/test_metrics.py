"""What is measured at the end, against scikit-learn and against plain definitions."""

import json

import pytest
import torch
from sklearn import metrics

from ftcli.engine.calibrate import fit_temperature
from ftcli.engine.evaluate import scores_of
from ftcli.engine.metrics import calibration_error, report_of

CLASSES = ("a", "b", "c", "d")


def sample(count=400, missing=False, seed=0):
    """Logits that are right more often than not; labels out of balance, the last class missing if asked."""
    generator = torch.Generator().manual_seed(seed)
    shares = torch.tensor([0.6, 0.25, 0.1, 0.0 if missing else 0.05])
    labels = torch.multinomial(shares, count, replacement=True, generator=generator)
    logits = torch.randn(count, 4, generator=generator) + 1.5 * torch.nn.functional.one_hot(labels, 4)
    return logits, labels


def test_the_report_is_scikit_learn_s():
    logits, labels = sample()
    told = report_of(logits, labels, CLASSES, 0)
    y, p = labels.numpy(), logits.argmax(1).numpy()
    assert told["accuracy"] == pytest.approx(metrics.accuracy_score(y, p))
    assert told["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(y, p))
    assert told["macro_precision"] == pytest.approx(metrics.precision_score(y, p, average="macro"))
    assert told["macro_recall"] == pytest.approx(metrics.recall_score(y, p, average="macro"))
    assert told["macro_f1"] == pytest.approx(metrics.f1_score(y, p, average="macro"))
    auroc = metrics.roc_auc_score(y, logits.double().softmax(1).numpy(), multi_class="ovr", average="macro")
    assert told["auroc"] == pytest.approx(auroc, abs=1e-5)
    assert told["confusion"] == metrics.confusion_matrix(y, p).tolist()
    expected = metrics.precision_recall_fscore_support(y, p)
    for key, column in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        assert [each[key] for each in told["per_class"]] == pytest.approx(list(column))
    scores = scores_of(logits, labels)
    assert scores.accuracy == told["accuracy"]
    assert scores.balanced_accuracy == pytest.approx(told["balanced_accuracy"])


def test_a_class_that_is_missing():
    logits, labels = sample(missing=True)
    told = report_of(logits, labels, CLASSES, 0)
    assert told["auroc"] is None
    assert [each["auroc"] is None for each in told["per_class"]] == [False, False, False, True]
    y, p = labels.numpy(), logits.argmax(1).numpy()
    assert 3 in p, "it is predicted and does not occur"
    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        assert told["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(y, p))


def test_the_report_survives_a_file():
    told = report_of(*sample(missing=True), CLASSES, 0)
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_very_many_classes_have_no_confusion_matrix():
    logits = torch.randn(50, 300, generator=torch.Generator().manual_seed(0))
    told = report_of(logits, torch.arange(50), tuple(map(str, range(300))), 0)
    assert told["confusion"] is None


def test_calibration_error_by_hand():
    """Always 90% sure and right half of the time: the gap is 0.4."""
    logits = torch.tensor([[0.9, 0.1]]).log().expand(10, 2)
    assert calibration_error(logits, torch.tensor([0, 1] * 5)) == pytest.approx(0.4, abs=1e-5)


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_the_temperature_that_was_put_in_is_found(factor):
    """Labels drawn from softmax(logits); the model says factor x logits."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(20_000, 4, generator=generator)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    found = fit_temperature(factor * logits, labels)
    assert found == pytest.approx(factor, rel=0.05)
    before, after = (
        calibration_error(factor * logits, labels),
        calibration_error(factor * logits / found, labels),
    )
    assert after < 0.01
    assert factor == 1.0 or after < before


def test_a_temperature_has_bounds_where_every_example_is_right():
    for size in (0.1, 5.0, 100.0):
        assert 0.0099 <= fit_temperature(size * torch.eye(4), torch.arange(4)) <= 1
