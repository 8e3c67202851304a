"""Everything that is measured on a stream at the end: by class, by confidence, and how sure the numbers are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ftcli.engine import class_scores
from ftcli.engine.evaluate import scores_of
from ftcli.engine.multilabel import ECE_BINS, multilabel_calibration_error, multilabel_report
from ftcli.engine.seed import derive

RESAMPLES = 1000
MOST_CONFUSION = 200
"""A confusion matrix of more classes than this is left out: it would have more cells than a page or a file can bear."""
_AT_ONCE = 2**24
"""Cells of resampled counts held at a time: 128 MB."""

Counts = NDArray[np.int64]


def report_of(logits_NC: Tensor, labels_N: Tensor, classes: tuple[str, ...], seed: int) -> dict[str, Any]:
    """The full report of a stream, as plain values. `seed` draws the resamples of the intervals.

    Labels (N, C) are those of multi-label data: engine/multilabel.
    """
    if labels_N.ndim == 2:
        return multilabel_report(logits_NC, labels_N, classes, seed)
    logits_NC, labels_N = logits_NC.cpu(), labels_N.cpu()
    predicted_N, count = logits_NC.argmax(dim=1), len(classes)
    scores = scores_of(logits_NC, labels_N)
    counts = class_scores.count(predicted_N, labels_N, count)
    by_class = per_class(logits_NC, labels_N, classes)
    return {
        "accuracy": scores.accuracy,
        "balanced_accuracy": scores.balanced_accuracy,
        "macro_precision": counts.macro(counts.precision_C),
        "macro_recall": counts.macro(counts.recall_C),
        "macro_f1": scores.macro_f1,
        "auroc": _mean([each["auroc"] for each in by_class]),
        "ece": calibration_error(logits_NC, labels_N),
        "intervals": intervals(predicted_N, labels_N, count, seed),
        "per_class": by_class,
        "confusion": _confusion(predicted_N, labels_N, count),
    }


def balanced_accuracy(predicted_N: Tensor, labels_N: Tensor, num_classes: int) -> float:
    """The mean recall of the classes that occur."""
    counts = class_scores.count(predicted_N, labels_N, num_classes)
    return float(counts.recall_C[counts.there_C > 0].double().mean())


def calibration_error(logits_NC: Tensor, labels_N: Tensor) -> float:
    """Expected calibration error: the mean gap between confidence and accuracy, over bins of confidence."""
    if labels_N.ndim == 2:
        return multilabel_calibration_error(logits_NC, labels_N)
    return class_scores.calibration_error(logits_NC.softmax(dim=1), labels_N, ECE_BINS)


def per_class(logits_NC: Tensor, labels_N: Tensor, classes: tuple[str, ...]) -> list[dict[str, Any]]:
    """Precision, recall, F1, support and AUROC (one against the rest) of each class.

    AUROC is None where a class does not occur, or nothing else does.
    """
    counts = class_scores.count(logits_NC.argmax(dim=1), labels_N, len(classes))
    columns = {
        "precision": counts.precision_C,
        "recall": counts.recall_C,
        "f1": counts.f1_C,
        "support": counts.there_C,
    }
    probabilities_NC = logits_NC.softmax(dim=1)
    return [
        {
            "class": name,
            **{key: values[index].item() for key, values in columns.items()},
            "auroc": _auroc(probabilities_NC[:, index], labels_N == index),
        }
        for index, name in enumerate(classes)
    ]


def _auroc(probability_N: Tensor, is_class_N: Tensor) -> float | None:
    if not is_class_N.any() or is_class_N.all():
        return None
    return class_scores.auroc(probability_N, is_class_N)


def _mean(values: list[float | None]) -> float | None:
    """None where one is missing: a mean over fewer classes would pass for one over all."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def _confusion(predicted_N: Tensor, labels_N: Tensor, num_classes: int) -> list[list[int]] | None:
    """None where it would be too large."""
    too_many = num_classes > MOST_CONFUSION
    return None if too_many else class_scores.confusion(predicted_N, labels_N, num_classes)


def intervals(
    predicted_N: Tensor, labels_N: Tensor, num_classes: int, seed: int, resamples: int = RESAMPLES
) -> dict[str, list[float]]:
    """95% intervals (low, high) by the percentile bootstrap (Efron 1979): what other test images might have given.

    A resample of N examples is a multinomial draw over the (label, prediction) pairs that occur, which gives the
    same distribution as drawing examples one by one, and is many times quicker. For the means over classes it is
    drawn within each label: a resample without a rare class would count as one that gets it right.
    """
    pairs_N = (labels_N * num_classes + predicted_N).cpu().numpy()
    pairs_K, seen_K = np.unique(pairs_N, return_counts=True)
    label_K, predicted_K = np.divmod(pairs_K, num_classes)
    generator = np.random.default_rng(derive(seed, "bootstrap"))
    rows = max(1, _AT_ONCE // len(pairs_K))
    parts = []
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        drawn_RK = generator.multinomial(len(pairs_N), seen_K / len(pairs_N), size=size)
        accuracy_1R = _measures(drawn_RK, label_K, predicted_K)[:1]
        by_label_RK = _drawn_within_labels(generator, seen_K, label_K, size)
        parts.append(np.concatenate([accuracy_1R, _measures(by_label_RK, label_K, predicted_K)[1:]]))
    names = ("accuracy", "balanced_accuracy", "macro_f1")
    values_3R = np.concatenate(parts, axis=1)
    bounds_23 = np.percentile(values_3R, [2.5, 97.5], axis=1)
    return {name: [float(bounds_23[0, i]), float(bounds_23[1, i])] for i, name in enumerate(names)}


def _drawn_within_labels(
    generator: np.random.Generator, seen_K: Counts, label_K: Counts, size: int
) -> NDArray[np.int64]:
    """As many of each label as there are, so that no class is missing from a resample (R, K)."""
    drawn_RK = np.zeros((size, len(seen_K)), dtype=np.int64)
    for label in np.unique(label_K):
        at = label_K == label
        total = seen_K[at].sum()
        drawn_RK[:, at] = generator.multinomial(total, seen_K[at] / total, size=size)
    return drawn_RK


def _measures(drawn_RK: Counts, label_K: Counts, predicted_K: Counts) -> NDArray[np.float64]:
    """Accuracy, balanced accuracy and macro F1 of each resample (3, R), over the classes that occur in it."""
    hit_RK = drawn_RK * (label_K == predicted_K)
    classes = np.union1d(label_K, predicted_K)
    true_RC = _sums(drawn_RK, label_K, classes)
    guessed_RC = _sums(drawn_RK, predicted_K, classes)
    hit_RC = _sums(hit_RK, label_K, classes)
    accuracy_R = hit_RK.sum(axis=1) / drawn_RK.sum(axis=1)
    recall_RC = hit_RC / np.maximum(true_RC, 1)
    balanced_R = recall_RC.sum(axis=1) / (true_RC > 0).sum(axis=1)
    either_RC = true_RC + guessed_RC
    f1_RC = 2 * hit_RC / np.maximum(either_RC, 1)
    f1_R = f1_RC.sum(axis=1) / (either_RC > 0).sum(axis=1)
    return np.stack([accuracy_R, balanced_R, f1_R])


def _sums(counts_RK: Counts, class_K: Counts, classes: Counts) -> Counts:
    """Counts of pairs added up by class (R, C)."""
    order = np.argsort(class_K, kind="stable")
    found, starts = np.unique(class_K[order], return_index=True)
    sums = np.zeros((len(counts_RK), len(classes)), dtype=np.int64)
    sums[:, np.searchsorted(classes, found)] = np.add.reduceat(counts_RK[:, order], starts, axis=1)
    return sums
