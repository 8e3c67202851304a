"""Everything that is measured on a stream at the end: by class, by confidence, and how sure the numbers are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ftcli.engine.bootstrap import class_intervals, intervals, rank_intervals, resampled
from ftcli.engine.evaluate import scores_of
from ftcli.engine.multilabel import ECE_BINS, multilabel_calibration_error, multilabel_report
from ftcli.engine.next_tokens import are_next_tokens, next_token_report

MOST_CONFUSION = 200
"""A confusion matrix of more classes than this is left out: it would have more cells than a page or a file can bear."""


def report_of(logits_NC: Tensor, labels_N: Tensor, classes: tuple[str, ...], seed: int) -> dict[str, Any]:
    """The full report of a stream, as plain values. `seed` draws the resamples of the intervals.

    Labels (N, C) are those of multi-label data: engine/multilabel; (N, L) next tokens: engine/next_tokens.
    """
    if are_next_tokens(labels_N):
        return next_token_report(logits_NC, labels_N.shape[1], seed)
    if labels_N.ndim == 2:
        return multilabel_report(logits_NC, labels_N, classes, seed)
    from torchmetrics.functional import classification as metrics

    logits_NC, labels_N = logits_NC.cpu(), labels_N.cpu()
    predicted_N, count = logits_NC.argmax(dim=1), len(classes)
    scores = scores_of(logits_NC, labels_N)
    given = {"num_classes": count, "average": "macro"}
    drawn = resampled(predicted_N, labels_N, count, seed)
    between = class_intervals(drawn, count) if count <= MOST_CONFUSION else [{}] * count
    by_class = [
        {**row, "intervals": found}
        for row, found in zip(per_class(logits_NC, labels_N, classes), between, strict=True)
    ]
    return {
        "accuracy": scores.accuracy,
        "balanced_accuracy": scores.balanced_accuracy,
        "macro_precision": metrics.multiclass_precision(predicted_N, labels_N, **given).item(),
        "macro_recall": metrics.multiclass_recall(predicted_N, labels_N, **given).item(),
        "macro_f1": scores.macro_f1,
        "auroc": _mean([each["auroc"] for each in by_class]),
        "ece": calibration_error(logits_NC, labels_N),
        "intervals": intervals(drawn) | rank_intervals(logits_NC.softmax(dim=1), labels_N, seed),
        "per_class": by_class,
        "confusion": _confusion(predicted_N, labels_N, count),
    }


def balanced_accuracy(predicted_N: Tensor, labels_N: Tensor, num_classes: int) -> float:
    """The mean recall of the classes that occur."""
    from torchmetrics.functional.classification import multiclass_recall

    recall_C = multiclass_recall(predicted_N, labels_N, num_classes=num_classes, average=None)
    occurs_C = torch.bincount(labels_N, minlength=num_classes) > 0
    return float(recall_C[occurs_C].double().mean())


def calibration_error(logits_NC: Tensor, labels_N: Tensor) -> float:
    """Expected calibration error: the mean gap between confidence and accuracy, over bins of confidence."""
    if labels_N.ndim == 2:
        return multilabel_calibration_error(logits_NC, labels_N)
    from torchmetrics.functional.classification import multiclass_calibration_error

    error = multiclass_calibration_error(
        logits_NC.softmax(dim=1), labels_N, num_classes=logits_NC.shape[1], n_bins=ECE_BINS
    )
    return float(error)


def per_class(logits_NC: Tensor, labels_N: Tensor, classes: tuple[str, ...]) -> list[dict[str, Any]]:
    """Precision, recall, F1, support and AUROC (one against the rest) of each class.

    AUROC is None where a class does not occur, or nothing else does.
    """
    from torchmetrics.functional import classification as metrics

    predicted_N, count = logits_NC.argmax(dim=1), len(classes)
    columns = {
        "precision": metrics.multiclass_precision(predicted_N, labels_N, num_classes=count, average=None),
        "recall": metrics.multiclass_recall(predicted_N, labels_N, num_classes=count, average=None),
        "f1": metrics.multiclass_f1_score(predicted_N, labels_N, num_classes=count, average=None),
        "support": torch.bincount(labels_N, minlength=count),
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
    from torchmetrics.functional.classification import binary_auroc

    if not is_class_N.any() or is_class_N.all():
        return None
    return float(binary_auroc(probability_N, is_class_N.long()))


def _mean(values: list[float | None]) -> float | None:
    """None where one is missing: a mean over fewer classes would pass for one over all."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def _confusion(predicted_N: Tensor, labels_N: Tensor, num_classes: int) -> list[list[int]] | None:
    """Row: the true class, column: the predicted one."""
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    if num_classes > MOST_CONFUSION:
        return None
    matrix: list[list[int]] = multiclass_confusion_matrix(
        predicted_N, labels_N, num_classes=num_classes
    ).tolist()
    return matrix
