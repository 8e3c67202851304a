"""Intervals are those of drawing examples one by one, and of scikit-learn's measures on each draw."""

import numpy as np
import pytest
import torch
from sklearn import metrics

from ftcli.engine import bootstrap
from ftcli.engine.bootstrap import class_intervals, intervals, rank_intervals, resampled
from ftcli.engine.evaluate import scores_of
from ftcli.engine.metrics import calibration_error, report_of
from tests.engine.test_metrics import CLASSES, sample


def between(predicted, labels, num_classes, seed, resamples=1000):
    return intervals(resampled(predicted, labels, num_classes, seed, resamples))


def test_intervals_are_those_of_drawing_examples():
    logits, labels = sample(count=200)
    predicted = logits.argmax(1)
    told = between(predicted, labels, 4, 0, resamples=4000)
    generator = np.random.default_rng(1)
    y, p = labels.numpy(), predicted.numpy()
    drawn = [generator.integers(0, 200, 200) for _ in range(500)]
    by_hand = {
        "accuracy": [metrics.accuracy_score(y[d], p[d]) for d in drawn],
        "macro_f1": [metrics.f1_score(y[d], p[d], average="macro") for d in drawn],
    }
    for name, values in by_hand.items():
        assert told[name] == pytest.approx(list(np.percentile(values, [2.5, 97.5])), abs=0.025)


def test_intervals_hold_the_truth_and_narrow_with_more_examples():
    few, many = (
        between(logits.argmax(1), labels, 4, 0) for logits, labels in (sample(count=100), sample(count=4000))
    )
    for name, (low, high) in many.items():
        assert low < high
        assert high - low < few[name][1] - few[name][0]
    accuracy = scores_of(*sample(count=4000)).accuracy
    assert many["accuracy"][0] < accuracy < many["accuracy"][1]


def test_intervals_of_a_seed_are_the_same_and_where_all_is_right_have_no_width():
    logits, labels = sample()
    assert between(logits.argmax(1), labels, 4, 5) == between(logits.argmax(1), labels, 4, 5)
    assert between(logits.argmax(1), labels, 4, 5) != between(logits.argmax(1), labels, 4, 6)
    assert between(labels, labels, 4, 0)["macro_f1"] == [1.0, 1.0]


def test_intervals_of_a_large_stream_need_no_large_table():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 1000, (50_000,), generator=generator)
    predicted = torch.where(torch.rand(50_000, generator=generator) < 0.8, labels, labels.roll(1))
    low, high = between(predicted, labels, 1000, 0)["accuracy"]
    assert low < 0.8 < high


def test_a_constant_predictor_is_as_sure_as_it_is_useless() -> None:
    """One image of the rare class: a resample without it must not count as one that gets it right."""
    labels = torch.tensor([0] * 9 + [1])
    found = between(torch.zeros(10, dtype=torch.long), labels, 2, seed=0)
    assert found["balanced_accuracy"] == [0.5, 0.5]
    assert found["macro_f1"][1] < 0.5
    assert found["accuracy"][1] == 1.0


def within_labels(labels, generator):
    """As many of each label as there are, drawn with replacement."""
    places = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return np.concatenate([generator.choice(place, len(place)) for place in places])


def bounds(values):
    return pytest.approx(list(np.percentile(values, [2.5, 97.5])), abs=0.05)


def test_every_mean_over_classes_and_every_class_has_its_interval():
    logits, labels = sample(count=200)
    predicted = logits.argmax(1)
    drawn = resampled(predicted, labels, 4, 0)
    generator, y, p = np.random.default_rng(1), labels.numpy(), predicted.numpy()
    draws = [within_labels(y, generator) for _ in range(300)]
    told, of_class = intervals(drawn), class_intervals(drawn, 4)
    by_hand = np.array(
        [metrics.precision_recall_fscore_support(y[d], p[d], zero_division=0)[:3] for d in draws]
    )
    for place, name in enumerate(("precision", "recall", "f1")):
        by_class = by_hand[:, place]
        assert told[f"macro_{name}"] == bounds(by_class.mean(axis=1))
        for number in range(2):  # of the rare ones a score moves in steps as wide as the tolerance
            assert of_class[number][name] == bounds(by_class[:, number])


def test_those_of_ranks_are_scikit_learn_s_and_torchmetrics():
    logits, labels = sample(count=200)
    probabilities = logits.softmax(1)
    told = rank_intervals(probabilities, labels, 0)
    generator, y = np.random.default_rng(1), labels.numpy()
    areas, errors = [], []
    for _ in range(120):
        d = within_labels(y, generator)
        areas.append(metrics.roc_auc_score(y[d], probabilities.double().numpy()[d], multi_class="ovr"))
        drawn = torch.from_numpy(generator.integers(0, 200, 200))
        errors.append(calibration_error(logits[drawn], labels[drawn]))
    assert told["auroc"] == bounds(areas)
    assert told["ece"] == bounds(errors)


def test_ties_count_half():
    same = torch.full((40, 2), 0.5)
    labels = torch.tensor([0, 1] * 20)
    assert rank_intervals(same, labels, 0)["auroc"] == [0.5, 0.5]


def test_what_a_class_without_examples_has():
    """No interval of its own, and none of a mean AUROC, which it has no part in."""
    logits, labels = sample(missing=True)
    told = report_of(logits, labels, CLASSES, 0)
    assert told["auroc"] is None
    assert "auroc" not in told["intervals"]
    assert told["per_class"][3]["intervals"] == {}
    for row in told["per_class"][:3]:
        low, high = row["intervals"]["recall"]
        assert low <= row["recall"] <= high


def test_large_streams_are_not_ranked(monkeypatch):
    logits, labels = sample()
    assert set(report_of(logits, labels, CLASSES, 0)["intervals"]) >= {"ece", "auroc", "macro_precision"}
    monkeypatch.setattr(bootstrap, "MOST_RANKED", 1599)
    assert not {"ece", "auroc"} & set(report_of(logits, labels, CLASSES, 0)["intervals"])
