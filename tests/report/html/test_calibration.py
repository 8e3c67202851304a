"""How sure and how often right: by hand on few examples, and against the error that torchmetrics counts."""

from __future__ import annotations

import pytest

from ftcli.report.html.calibration import BINS, bins_of
from ftcli.report.html.mistakes import mistakes_of
from ftcli.workflows.predictions_table import Answer, Answers


def answers(*told: tuple[str, str, float]) -> Answers:
    lines = tuple(Answer(f"{n}.png", (true,), (said,), sure) for n, (true, said, sure) in enumerate(told))
    return Answers((), lines, multi_label=False)


def test_bins() -> None:
    low, high = bins_of(answers(("a", "a", 0.62), ("a", "b", 0.68), ("b", "b", 1.0)))
    assert (low.low, low.count, low.accuracy) == (0.6, 2, 0.5)
    assert low.confidence == pytest.approx(0.65)
    assert (high.high, high.count, high.confidence, high.accuracy) == (1.0, 1, 1.0, 1.0)


def test_of_several_labels_each_counts() -> None:
    line = Answer("x.png", ("a",), ("a", "b"), 0.7, (0.95, 0.75))
    first, second = bins_of(Answers(("a", "b"), (line,), multi_label=True))
    assert (first.confidence, first.accuracy) == (0.75, 0)
    assert (second.confidence, second.accuracy) == (0.95, 1)


def test_the_gaps_are_the_calibration_error() -> None:
    import torch
    from torchmetrics.functional.classification import multiclass_calibration_error

    generator = torch.Generator().manual_seed(0)
    probabilities = (2 * torch.randn(500, 4, generator=generator)).softmax(dim=1)
    labels = torch.randint(4, (500,), generator=generator)
    sure, said = probabilities.max(dim=1)
    found = bins_of(
        answers(*zip(map(str, labels.tolist()), map(str, said.tolist()), sure.tolist(), strict=True))
    )
    ece = sum(each.count * abs(each.confidence - each.accuracy) for each in found) / 500
    expected = multiclass_calibration_error(probabilities, labels, num_classes=4, n_bins=BINS)
    assert ece == pytest.approx(float(expected), abs=1e-5)


def test_the_surest_mistake_is_first() -> None:
    found = mistakes_of(answers(("a", "b", 0.6), ("a", "a", 0.99), ("b", "a", 0.9)))
    assert [mistake.answer.name for mistake in found] == ["2.png", "0.png"]
    assert found[0].said == "a"
