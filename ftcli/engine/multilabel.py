"""What is measured where an example may have several classes: each class by itself, and the mean over them.

A class that no example has says nothing of a model and is left out of every mean.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ftcli.engine.seed import derive
from ftcli.events import Scores

ECE_BINS = 15
RESAMPLES = 1000
THRESHOLD = 0.5
"""The probability from which on a class counts as seen."""
_AT_ONCE = 2**24
"""Resampled counts held at a time: 128 MB."""

Floats = NDArray[np.float64]


def multilabel_scores(logits_NC: Tensor, targets_NC: Tensor) -> Scores:
    """Targets are 1 where the example has the class, else 0. See Scores for what accuracy and loss mean here."""
    predicted_NC = predicted(logits_NC)
    f1_C = _by_class("f1_score", predicted_NC, targets_NC)
    return Scores(
        accuracy=exact_match(predicted_NC, targets_NC),
        macro_f1=_mean(f1_C, targets_NC),
        loss=nn.functional.binary_cross_entropy_with_logits(logits_NC, targets_NC).item(),
        num_examples=len(targets_NC),
        mean_average_precision=_mean(average_precision(logits_NC, targets_NC), targets_NC),
    )


def multilabel_report(
    logits_NC: Tensor, targets_NC: Tensor, classes: tuple[str, ...], seed: int
) -> dict[str, Any]:
    """The full report of a stream, as plain values. `seed` draws the resamples of the intervals."""
    from torchmetrics.functional.classification import multilabel_f1_score

    logits_NC, targets_NC = logits_NC.cpu(), targets_NC.cpu()
    predicted_NC, count = predicted(logits_NC), len(classes)
    columns = {
        "precision": _by_class("precision", predicted_NC, targets_NC),
        "recall": _by_class("recall", predicted_NC, targets_NC),
        "f1": _by_class("f1_score", predicted_NC, targets_NC),
        "average_precision": average_precision(logits_NC, targets_NC),
        "auroc": _auroc(logits_NC, targets_NC),
        "support": targets_NC.sum(dim=0).long(),
        "predicted": predicted_NC.sum(dim=0).long(),
    }
    by_class = [
        {"class": name, **{key: _plain(values[number]) for key, values in columns.items()}}
        for number, name in enumerate(classes)
    ]
    means = {"macro_precision": "precision", "macro_recall": "recall", "macro_f1": "f1", "auroc": "auroc"}
    return {
        "multi_label": True,
        "accuracy": exact_match(predicted_NC, targets_NC),
        "mean_average_precision": _mean(columns["average_precision"], targets_NC),
        **{name: _mean(columns[column], targets_NC) for name, column in means.items()},
        "micro_f1": multilabel_f1_score(
            predicted_NC, targets_NC.long(), num_labels=count, average="micro"
        ).item(),
        "ece": multilabel_calibration_error(logits_NC, targets_NC),
        "intervals": intervals(logits_NC, targets_NC, seed),
        "per_class": by_class,
    }


def predicted(logits_NC: Tensor) -> Tensor:
    """int64 (N, C): 1 for the classes that count as seen."""
    return (logits_NC.sigmoid() >= THRESHOLD).long()


def exact_match(predicted_NC: Tensor, targets_NC: Tensor) -> float:
    """The share of examples with all of their classes and no other: scikit-learn's accuracy of multi-label data."""
    return (predicted_NC == targets_NC).all(dim=1).double().mean().item()


def average_precision(logits_NC: Tensor, targets_NC: Tensor) -> Tensor:
    """By class (C,); not a number of a class that no example has."""
    from torchmetrics.functional.classification import multilabel_average_precision

    with warnings.catch_warnings():  # of classes without examples, which are left out of the mean below
        warnings.simplefilter("ignore")
        precision_C: Tensor = multilabel_average_precision(
            _ranked(logits_NC), targets_NC.long(), num_labels=targets_NC.shape[1], average=None
        )
    return torch.where(_occurs(targets_NC), precision_C, torch.nan)


def multilabel_calibration_error(logits_NC: Tensor, targets_NC: Tensor) -> float:
    """Expected calibration error over every (example, class): how far probabilities are from frequencies."""
    from torchmetrics.functional.classification import binary_calibration_error

    error = binary_calibration_error(
        logits_NC.sigmoid().flatten(), targets_NC.long().flatten(), n_bins=ECE_BINS
    )
    return float(error)


def intervals(
    logits_NC: Tensor, targets_NC: Tensor, seed: int, resamples: int = RESAMPLES
) -> dict[str, list[float]]:
    """95% intervals (low, high) by the percentile bootstrap over examples: what other test images might have given."""
    targets = targets_NC.double().numpy()
    seen = predicted(logits_NC).double().numpy()
    right = (targets == seen).all(axis=1).astype(np.float64)
    generator = np.random.default_rng(derive(seed, "bootstrap"))
    count = len(targets)
    rows = max(1, _AT_ONCE // max(count, 1))
    parts = []
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        drawn_RN = generator.multinomial(count, np.full(count, 1 / count), size=size).astype(np.float64)
        precision_R = _mean_average_precision(drawn_RN, logits_NC.double().numpy(), targets)
        parts.append(np.stack([drawn_RN @ right / count, _macro_f1(drawn_RN, targets, seen), precision_R]))
    bounds_23 = np.percentile(np.concatenate(parts, axis=1), [2.5, 97.5], axis=1)
    names = ("accuracy", "macro_f1", "mean_average_precision")
    return {name: [float(bounds_23[0, i]), float(bounds_23[1, i])] for i, name in enumerate(names)}


def _macro_f1(drawn_RN: Floats, targets_NC: Floats, seen_NC: Floats) -> Floats:
    """Of each resample (R,), over the classes that occur in it."""
    hits_RC = drawn_RN @ (targets_NC * seen_NC)
    has_RC, said_RC = drawn_RN @ targets_NC, drawn_RN @ seen_NC
    f1_RC = 2 * hits_RC / np.maximum(has_RC + said_RC, 1)
    return _mean_where(f1_RC, has_RC > 0)


def _mean_average_precision(drawn_RN: Floats, logits_NC: Floats, targets_NC: Floats) -> Floats:
    """Of each resample (R,), over the classes that occur in it. Equal logits are one threshold."""
    precisions, occurs = [], []
    for logits_N, targets_N in zip(logits_NC.T, targets_NC.T, strict=True):
        order = np.argsort(-logits_N, kind="stable")
        ends = np.append(np.flatnonzero(np.diff(logits_N[order])), len(order) - 1)
        drawn_in_order = drawn_RN[:, order]
        taken_RE = drawn_in_order.cumsum(axis=1)[:, ends]
        hits_RE = (drawn_in_order * targets_N[order]).cumsum(axis=1)[:, ends]
        new_RE = np.diff(hits_RE, axis=1, prepend=0)
        total_R = hits_RE[:, -1]
        sum_R = (new_RE * hits_RE / np.maximum(taken_RE, 1)).sum(axis=1)
        precisions.append(sum_R / np.maximum(total_R, 1))
        occurs.append(total_R > 0)
    return _mean_where(np.stack(precisions, axis=1), np.stack(occurs, axis=1))


def _mean_where(values_RC: Floats, there_RC: NDArray[np.bool_]) -> Floats:
    return (values_RC * there_RC).sum(axis=1) / np.maximum(there_RC.sum(axis=1), 1)


def _by_class(metric: str, predicted_NC: Tensor, targets_NC: Tensor) -> Tensor:
    from torchmetrics.functional import classification

    measure = getattr(classification, f"multilabel_{metric}")
    of_class_C: Tensor = measure(
        predicted_NC, targets_NC.long(), num_labels=targets_NC.shape[1], average=None
    )
    return of_class_C


def _auroc(logits_NC: Tensor, targets_NC: Tensor) -> Tensor:
    """By class (C,); not a number where every example has the class or none."""
    from torchmetrics.functional.classification import binary_auroc

    ranked_NC, targets_NC = _ranked(logits_NC), targets_NC.long()
    known = [0 < int(column.sum()) < len(column) for column in targets_NC.T]
    values = [
        float(binary_auroc(ranked_NC[:, c], targets_NC[:, c])) if known[c] else float("nan")
        for c in range(targets_NC.shape[1])
    ]
    return torch.tensor(values)


def _ranked(logits_NC: Tensor) -> Tensor:
    """Probabilities in the order of the logits: those of sure logits are equal in fp32, and would be ties."""
    return logits_NC.double().sigmoid()


def _occurs(targets_NC: Tensor) -> Tensor:
    return targets_NC.sum(dim=0) > 0


def _mean(of_class_C: Tensor, targets_NC: Tensor) -> float:
    known_C = _occurs(targets_NC) & ~of_class_C.isnan()
    return of_class_C[known_C].double().mean().item() if known_C.any() else 0.0


def _plain(value: Tensor) -> float | int | None:
    number: float | int = value.item()
    return None if number != number else number
