"""What is measured where an example may have several classes, against scikit-learn and against plain definitions."""

import json

import numpy as np
import pytest
import torch
from sklearn import metrics
from torch.nn.functional import binary_cross_entropy_with_logits

from ftcli.engine.calibrate import fit_temperature
from ftcli.engine.evaluate import scores_of
from ftcli.engine.metrics import calibration_error, report_of
from ftcli.engine.multilabel import _mean_average_precision, average_precision, intervals

CLASSES = ("a", "b", "c", "d")


def sample(count=300, missing=False, seed=0):
    """Logits (N, 4) that are right more often than not; the last class is rare, or missing if asked."""
    generator = torch.Generator().manual_seed(seed)
    shares = torch.tensor([0.5, 0.3, 0.2, 0.0 if missing else 0.05])
    targets = (torch.rand(count, 4, generator=generator) < shares).float()
    return torch.randn(count, 4, generator=generator) + 2 * targets - 1, targets


def test_the_report_is_scikit_learn_s():
    logits, targets = sample()
    told = report_of(logits, targets, CLASSES, 0)
    y, p, scores = targets.numpy(), (logits > 0).numpy(), logits.numpy()
    assert told["accuracy"] == pytest.approx(metrics.accuracy_score(y, p))
    assert told["mean_average_precision"] == pytest.approx(
        metrics.average_precision_score(y, scores), abs=1e-5
    )
    assert told["macro_f1"] == pytest.approx(metrics.f1_score(y, p, average="macro"))
    assert told["micro_f1"] == pytest.approx(metrics.f1_score(y, p, average="micro"))
    assert told["macro_precision"] == pytest.approx(metrics.precision_score(y, p, average="macro"))
    assert told["macro_recall"] == pytest.approx(metrics.recall_score(y, p, average="macro"))
    assert told["auroc"] == pytest.approx(metrics.roc_auc_score(y, scores), abs=1e-5)
    columns = metrics.precision_recall_fscore_support(y, p)
    for key, column in zip(("precision", "recall", "f1", "support"), columns, strict=True):
        assert [row[key] for row in told["per_class"]] == pytest.approx(column.tolist())
    assert [row["predicted"] for row in told["per_class"]] == p.sum(0).tolist()
    json.dumps(told)


def test_the_scores_of_an_epoch_are_those_of_the_report():
    logits, targets = sample()
    told, scores = report_of(logits, targets, CLASSES, 0), scores_of(logits, targets)
    for name in ("accuracy", "macro_f1", "mean_average_precision"):
        assert getattr(scores, name) == told[name]
    assert scores.loss == pytest.approx(binary_cross_entropy_with_logits(logits, targets).item())
    assert scores.num_examples == 300
    assert scores.balanced_accuracy is None


def test_a_class_that_no_example_has_is_left_out_of_every_mean():
    logits, targets = sample(missing=True)
    told = report_of(logits, targets, CLASSES, 0)
    rest = report_of(logits[:, :3], targets[:, :3], CLASSES[:3], 0)
    for name in ("mean_average_precision", "macro_f1", "macro_recall", "auroc"):
        assert told[name] == pytest.approx(rest[name])
    assert told["per_class"][3]["average_precision"] is None
    assert told["per_class"][3]["support"] == 0


def test_sure_logits_are_no_ties():
    """In fp32 the probabilities of 20 and 30 are both 1; the order of the logits still tells them apart."""
    logits, targets = torch.tensor([[30.0], [20.0], [25.0]]), torch.tensor([[1.0], [0.0], [1.0]])
    pair = torch.cat([logits, logits], 1), torch.cat([targets, targets], 1)
    assert average_precision(*pair).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("rounded", [False, True])
def test_a_resample_that_draws_each_example_once_is_the_sample(rounded):
    logits, targets = sample()
    logits = logits.round() if rounded else logits
    found = _mean_average_precision(np.ones((1, 300)), logits.double().numpy(), targets.double().numpy())
    assert found[0] == pytest.approx(metrics.average_precision_score(targets.numpy(), logits.numpy()))


def test_a_resample_is_the_examples_it_drew():
    logits, targets = sample()
    drawn = np.random.default_rng(0).integers(300, size=300)
    counts = np.bincount(drawn, minlength=300)[None].astype(float)
    found = _mean_average_precision(counts, logits.double().numpy(), targets.double().numpy())
    expected = metrics.average_precision_score(targets.numpy()[drawn], logits.numpy()[drawn])
    assert found[0] == pytest.approx(expected)


def test_intervals_hold_the_score_and_narrow_with_more_examples():
    widths = {}
    for count in (100, 1600):
        logits, targets = sample(count)
        told = report_of(logits, targets, CLASSES, 0)
        for name, (low, high) in told["intervals"].items():
            assert low <= told[name] <= high
        low, high = told["intervals"]["mean_average_precision"]
        widths[count] = high - low
    assert widths[1600] < widths[100] / 2
    assert intervals(logits, targets, 0) == intervals(logits, targets, 0)


def test_calibration_mends_logits_that_are_too_sure():
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(2000, 4, generator=generator)
    targets = torch.bernoulli(logits.sigmoid(), generator=generator)
    too_sure = 3 * logits
    temperature = fit_temperature(too_sure, targets)
    assert temperature == pytest.approx(3, rel=0.1)
    before = calibration_error(too_sure, targets)
    assert before > 0.1
    assert calibration_error(too_sure / temperature, targets) < before / 5
