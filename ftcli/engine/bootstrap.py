"""95% intervals by the percentile bootstrap (Efron 1979): what other test images might have given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ftcli.engine.multilabel import ECE_BINS
from ftcli.engine.seed import derive

RESAMPLES, RANKED = 1000, 200
"""Resamples of what is counted, and of what has to be ranked anew in each."""
MOST_RANKED = 2_000_000
"""Examples times classes beyond which no resample is ranked: it would take minutes."""
_AT_ONCE = 2**24
"""Cells of resampled counts held at a time: 128 MB."""

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Resampled:
    """What each of R resamples gives: `overall` (R,) by name, `by_class` (R, K) by name for the K `classes` that occur
    or were predicted; `occurs` (K,) is whether an example is of it."""

    overall: Mapping[str, Floats]
    by_class: Mapping[str, Floats]
    classes: Counts
    occurs: NDArray[np.bool_]


def resampled(
    predicted_N: Tensor, labels_N: Tensor, num_classes: int, seed: int, resamples: int = RESAMPLES
) -> Resampled:
    """A resample of N examples is a multinomial draw over the (label, prediction) pairs that occur, which gives the
    same distribution as drawing examples one by one, and is many times quicker. For all but accuracy it is drawn
    within each label: a resample without a rare class would count as one that gets it right.
    """
    pairs_N = (labels_N * num_classes + predicted_N).cpu().numpy()
    pairs_K, seen_K = np.unique(pairs_N, return_counts=True)
    label_K, predicted_K = np.divmod(pairs_K, num_classes)
    generator = np.random.default_rng(derive(seed, "bootstrap"))
    rows = max(1, _AT_ONCE // len(pairs_K))
    accuracy, parts = [], []
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        drawn_RK = generator.multinomial(len(pairs_N), seen_K / len(pairs_N), size=size)
        accuracy.append((drawn_RK * (label_K == predicted_K)).sum(axis=1) / len(pairs_N))
        by_label_RK = _drawn_within_labels(generator, seen_K, label_K, size)
        parts.append(_by_class(by_label_RK, label_K, predicted_K))
    by_class = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    classes = np.union1d(label_K, predicted_K)
    occurs = np.isin(classes, label_K)
    overall = {
        "accuracy": np.concatenate(accuracy),
        "balanced_accuracy": by_class["recall"][:, occurs].mean(axis=1),
        **{f"macro_{name}": np.nanmean(values, axis=1) for name, values in by_class.items()},
    }
    return Resampled(overall, by_class, classes, occurs)


def intervals(drawn: Resampled) -> dict[str, list[float]]:
    """(low, high) by name: accuracy, balanced accuracy, and the means of precision, recall and F1 over classes."""
    return {name: _bounds(values) for name, values in drawn.overall.items()}


def class_intervals(drawn: Resampled, num_classes: int) -> list[dict[str, list[float]]]:
    """Of each class (low, high) of precision, recall and F1; nothing of one that no example has."""
    found: list[dict[str, list[float]]] = [{} for _ in range(num_classes)]
    for column in np.flatnonzero(drawn.occurs).tolist():
        by_name = {name: _bounds(values[:, column]) for name, values in drawn.by_class.items()}
        found[int(drawn.classes[column])] = by_name
    return found


def rank_intervals(probabilities_NC: Tensor, labels_N: Tensor, seed: int) -> dict[str, list[float]]:
    """(low, high) of the calibration error, and of the mean AUROC where every class occurs; none of a large stream."""
    if probabilities_NC.numel() > MOST_RANKED:
        return {}
    probabilities, labels = probabilities_NC.double().cpu().numpy(), labels_N.cpu().numpy()
    generator = np.random.default_rng(derive(seed, "bootstrap of ranks"))
    count = len(labels)
    drawn_RN = generator.multinomial(count, np.full(count, 1 / count), size=RANKED)
    found = {"ece": _bounds(_calibration_error(drawn_RN, probabilities, labels))}
    if 1 < len(np.unique(labels)) == probabilities.shape[1]:
        by_label_RN = _drawn_within_labels(generator, np.ones(count, np.int64), labels, RANKED)
        areas = [_auroc(by_label_RN, column, labels == c) for c, column in enumerate(probabilities.T)]
        found["auroc"] = _bounds(np.mean(areas, axis=0))
    return found


def _bounds(values_R: Floats) -> list[float]:
    low, high = np.percentile(values_R, [2.5, 97.5])
    return [float(low), float(high)]


def _drawn_within_labels(
    generator: np.random.Generator, seen_K: Counts, label_K: Counts, size: int
) -> Counts:
    """As many of each label as there are, so that no class is missing from a resample (R, K)."""
    drawn_RK = np.zeros((size, len(seen_K)), dtype=np.int64)
    for label in np.unique(label_K):
        at = label_K == label
        total = seen_K[at].sum()
        drawn_RK[:, at] = generator.multinomial(total, seen_K[at] / total, size=size)
    return drawn_RK


def _by_class(drawn_RK: Counts, label_K: Counts, predicted_K: Counts) -> dict[str, Floats]:
    """Precision, recall and F1 (R, C); not a number where a class neither occurs in the resample nor was predicted."""
    classes = np.union1d(label_K, predicted_K)
    true_RC = _sums(drawn_RK, label_K, classes)
    guessed_RC = _sums(drawn_RK, predicted_K, classes)
    hit_RC = _sums(drawn_RK * (label_K == predicted_K), label_K, classes)
    shares = {
        "precision": hit_RC / np.maximum(guessed_RC, 1),
        "recall": hit_RC / np.maximum(true_RC, 1),
        "f1": 2 * hit_RC / np.maximum(true_RC + guessed_RC, 1),
    }
    met_RC = true_RC + guessed_RC > 0
    return {name: np.where(met_RC, values_RC, np.nan) for name, values_RC in shares.items()}


def _sums(counts_RK: Counts, class_K: Counts, classes: Counts) -> Counts:
    """Counts of pairs added up by class (R, C)."""
    order = np.argsort(class_K, kind="stable")
    found, starts = np.unique(class_K[order], return_index=True)
    sums = np.zeros((len(counts_RK), len(classes)), dtype=np.int64)
    sums[:, np.searchsorted(classes, found)] = np.add.reduceat(counts_RK[:, order], starts, axis=1)
    return sums


def _calibration_error(drawn_RN: Counts, probabilities_NC: Floats, labels_N: Counts) -> Floats:
    """Of each resample (R,): by bin of confidence, how much of it was not borne out."""
    sure_N = probabilities_NC.max(axis=1)
    gap_N = sure_N - (probabilities_NC.argmax(axis=1) == labels_N)
    bin_N = np.clip(np.ceil(sure_N * ECE_BINS).astype(int) - 1, 0, ECE_BINS - 1)
    gaps_NB = np.zeros((len(labels_N), ECE_BINS))
    gaps_NB[np.arange(len(labels_N)), bin_N] = gap_N
    error: Floats = np.abs(drawn_RN @ gaps_NB).sum(axis=1) / len(labels_N)
    return error


def _auroc(drawn_RN: Counts, score_N: Floats, is_class_N: NDArray[np.bool_]) -> Floats:
    """Of each resample (R,): the share of pairs of the class and another that stand in the right order, ties half."""
    order = np.argsort(score_N, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score_N[order])), len(order) - 1)
    yes_RE, no_RE = (
        np.diff((drawn_RN * mask)[:, order].cumsum(axis=1)[:, ends], axis=1, prepend=0)
        for mask in (is_class_N, ~is_class_N)
    )
    below_RE = no_RE.cumsum(axis=1) - no_RE / 2
    area: Floats = (yes_RE * below_RE).sum(axis=1) / (yes_RE.sum(axis=1) * no_RE.sum(axis=1))
    return area
