"""Precision, recall, F1 and calibration, against torchmetrics; scikit-learn is asked in test_metrics."""

from __future__ import annotations

import pytest
import torch
from torchmetrics.functional import classification as torchmetrics

from ftcli.engine.calibrate import ECE_BINS
from ftcli.engine.confusion import confusion, counts_of, counts_of_several
from ftcli.engine.metrics import calibration_error, report_of
from tests.engine.test_metrics import CLASSES, sample
from tests.engine.test_multilabel import sample as multilabel_sample


@pytest.mark.parametrize("missing", [False, True])
def test_by_class_and_over_classes(missing: bool) -> None:
    logits, labels = sample(missing=missing)
    predicted, counts = logits.argmax(1), counts_of(logits.argmax(1), labels, 5)  # the fifth is never met
    assert counts.met.tolist() == [True] * 4 + [False]
    told = report_of(logits, labels, CLASSES, 0)
    for name, measure in (("precision", "precision"), ("recall", "recall"), ("f1", "f1_score")):
        theirs = getattr(torchmetrics, f"multiclass_{measure}")
        by_class = theirs(predicted, labels, num_classes=5, average=None)
        torch.testing.assert_close(getattr(counts, name).float(), by_class)
        over_all = theirs(predicted, labels, num_classes=4, average="macro").item()
        assert told[f"macro_{name}"] == pytest.approx(over_all)
    expected = torchmetrics.multiclass_confusion_matrix(predicted, labels, num_classes=5)
    assert torch.equal(confusion(predicted, labels, 5), expected)


@pytest.mark.parametrize("missing", [False, True])
def test_of_several_classes(missing: bool) -> None:
    logits, targets = multilabel_sample(missing=missing)
    predicted = (logits > 0).long()
    counts = counts_of_several(predicted, targets)
    for name, measure in (("precision", "precision"), ("recall", "recall"), ("f1", "f1_score")):
        theirs = getattr(torchmetrics, f"multilabel_{measure}")
        by_class = theirs(predicted, targets.long(), num_labels=4, average=None)
        torch.testing.assert_close(getattr(counts, name).float(), by_class)


@pytest.mark.parametrize("factor", [0.2, 1.0, 60.0])
def test_calibration_error(factor: float) -> None:
    """At 60 many probabilities are 1 in fp32."""
    logits, labels = sample()
    expected = torchmetrics.multiclass_calibration_error(
        (factor * logits).softmax(1), labels, num_classes=4, n_bins=ECE_BINS
    )
    assert calibration_error(factor * logits, labels) == pytest.approx(expected.item(), abs=1e-6)
    logits, targets = multilabel_sample()
    seen, there = (factor * logits).sigmoid().flatten(), targets.long().flatten()
    expected = torchmetrics.binary_calibration_error(seen, there, n_bins=ECE_BINS)
    assert calibration_error(factor * logits, targets) == pytest.approx(expected.item(), abs=1e-6)
