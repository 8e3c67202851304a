"""Every number is that of torchmetrics, to the last bit: reports of earlier versions stay comparable."""

import pytest
import torch
from torchmetrics.functional import classification as metrics

from ftcli.engine import class_scores

CLASSES = 5


def sample(seed, count=300, missing=False, ties=False):
    """Logits and labels out of balance; ties: only a few values, as a head in bf16 gives them."""
    generator = torch.Generator().manual_seed(seed)
    shares = torch.tensor([0.6, 0.25, 0.1, 0.05, 0.0 if missing else 0.02])
    labels = torch.multinomial(shares, count, replacement=True, generator=generator)
    logits = torch.randn(count, CLASSES, generator=generator) + 1.5 * torch.nn.functional.one_hot(labels, 5)
    return (logits.round() if ties else logits), labels


SAMPLES = [
    pytest.param({"seed": 0}, id="plain"),
    pytest.param({"seed": 1, "missing": True}, id="missing class"),
    pytest.param({"seed": 2, "ties": True}, id="ties"),
    pytest.param({"seed": 3, "count": 7}, id="few"),
    pytest.param({"seed": 4, "count": 20_000}, id="many"),
]


@pytest.mark.parametrize("which", SAMPLES)
def test_scores_by_class_and_their_means(which):
    logits, labels = sample(**which)
    predicted = logits.argmax(1)
    counts = class_scores.count(predicted, labels, CLASSES)
    for ours, theirs in (
        (counts.precision_C, metrics.multiclass_precision),
        (counts.recall_C, metrics.multiclass_recall),
        (counts.f1_C, metrics.multiclass_f1_score),
    ):
        assert torch.equal(ours, theirs(predicted, labels, num_classes=CLASSES, average=None))
        assert counts.macro(ours) == theirs(predicted, labels, num_classes=CLASSES, average="macro").item()
    confused = metrics.multiclass_confusion_matrix(predicted, labels, num_classes=CLASSES)
    assert class_scores.confusion(predicted, labels, CLASSES) == confused.tolist()


@pytest.mark.parametrize("which", SAMPLES)
def test_what_is_measured_on_probabilities(which):
    logits, labels = sample(**which)
    probabilities = logits.softmax(1)
    error = metrics.multiclass_calibration_error(probabilities, labels, num_classes=CLASSES, n_bins=15)
    assert class_scores.calibration_error(probabilities, labels, 15) == error.item()
    for index in range(CLASSES):
        is_class = labels == index
        if is_class.any() and not is_class.all():
            theirs = metrics.binary_auroc(probabilities[:, index], is_class.long())
            assert class_scores.auroc(probabilities[:, index], is_class) == theirs.item()


def test_a_confidence_of_one():
    """It has a bin of its own."""
    probabilities = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.4, 0.6]])
    labels = torch.tensor([0, 1, 1])
    theirs = metrics.multiclass_calibration_error(probabilities, labels, num_classes=2, n_bins=15)
    assert class_scores.calibration_error(probabilities, labels, 15) == theirs.item()


def test_a_report_imports_no_torchmetrics():
    """With scipy, and transformers where they are installed, it takes seconds."""
    import subprocess
    import sys

    code = (
        "import sys, torch; from ftcli.engine.metrics import report_of\n"
        "report_of(torch.eye(3), torch.arange(3), ('a', 'b', 'c'), 0)\n"
        "print(*{'torchmetrics', 'scipy', 'transformers'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
