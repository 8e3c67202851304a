"""Every example that is not the test's, predicted once: by the fold that it validated and did not train."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ftcli.engine import multilabel
from ftcli.engine.bootstrap import intervals, resampled
from ftcli.engine.feed import predict_stream
from ftcli.engine.metrics import balanced_accuracy
from ftcli.engine.run_folder import RunFolder
from ftcli.engine.work import Work
from ftcli.plans.data_splits import VAL
from ftcli.plans.phase import Phase

_DIGITS = 7
"""Of a logit, decimal: about as many as fp32 has."""


@dataclass(frozen=True)
class Pooled:
    """Scores over the validation examples of all folds together; `intervals` are 95% by bootstrap (low, high).

    Of multi-label data accuracy asks for all of an example's classes, and there is a mean average precision in place
    of a balanced accuracy; it ranks the logits of all folds in one list.
    """

    accuracy: float
    balanced_accuracy: float | None
    macro_f1: float
    num_examples: int
    intervals: dict[str, list[float]]
    mean_average_precision: float | None = None


def out_of_fold(work: Work, phase: Phase) -> dict[str, Any]:
    """What the network says of its validation examples, as the run folder keeps it: classes by number.

    It has weights of `phase`: what is kept of what that has frozen is not computed again. Of multi-label data all
    classes of each example, and the logit of every class.
    """
    splits = work.batches.store.splits
    logits_NC, labels = predict_stream(work, phase, VAL)
    found = {
        "classes": list(splits.classes),
        "keys": [splits.examples[i].key for i in splits.streams[VAL]],
    }
    if labels.ndim == 1:
        return {**found, "labels": labels.tolist(), "predicted": logits_NC.argmax(dim=1).tolist()}
    return {
        **found,
        "labels": [list(splits.examples[i].labels) for i in splits.streams[VAL]],
        "logits": [[float(f"{logit:.{_DIGITS}g}") for logit in row] for row in logits_NC.tolist()],
    }


def pooled(runs: Sequence[str], seed: int) -> Pooled | None:
    """None where a run left no such file (it is older), or the files do not belong together."""
    parts = [_read(RunFolder(Path(run)).out_of_fold) for run in runs]
    known = [part for part in parts if part is not None]
    keys = [key for part in known for key in part["keys"]]
    kinds = {(tuple(part["classes"]), "logits" in part) for part in known}
    if len(known) < len(runs) or len(kinds) != 1 or len(set(keys)) < len(keys):
        return None
    classes, several = kinds.pop()
    score = _scored_several if several else _scored
    return score(_all(known, "labels"), _all(known, "logits" if several else "predicted"), len(classes), seed)


def _all(parts: Sequence[dict[str, Any]], column: str) -> list[Any]:
    return [value for part in parts for value in part[column]]


def _scored(labels: list[int], predicted: list[int], num_classes: int, seed: int) -> Pooled:
    from torchmetrics.functional.classification import multiclass_f1_score

    labels_N, predicted_N = torch.tensor(labels), torch.tensor(predicted)
    return Pooled(
        accuracy=(predicted_N == labels_N).double().mean().item(),
        balanced_accuracy=balanced_accuracy(predicted_N, labels_N, num_classes),
        macro_f1=multiclass_f1_score(predicted_N, labels_N, num_classes=num_classes, average="macro").item(),
        num_examples=len(labels_N),
        intervals=intervals(resampled(predicted_N, labels_N, num_classes, seed)),
    )


def _scored_several(
    labels: list[list[int]], logits: list[list[float]], num_classes: int, seed: int
) -> Pooled:
    logits_NC, targets_NC = torch.tensor(logits), _targets(labels, num_classes)
    scores = multilabel.multilabel_scores(logits_NC, targets_NC)
    return Pooled(
        accuracy=scores.accuracy,
        balanced_accuracy=None,
        macro_f1=scores.macro_f1 or 0.0,  # of data with classes it is measured
        num_examples=len(targets_NC),
        intervals=multilabel.intervals(logits_NC, targets_NC, seed),
        mean_average_precision=scores.mean_average_precision,
    )


def _targets(labels: list[list[int]], num_classes: int) -> Tensor:
    """(N, C): 1 where the example has the class."""
    targets_NC = torch.zeros(len(labels), num_classes)
    for row, classes in enumerate(labels):
        targets_NC[row, classes] = 1
    return targets_NC


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    said = "logits" if isinstance(found, dict) and "logits" in found else "predicted"
    lists = ("classes", "keys", "labels", said)
    if not isinstance(found, dict) or not all(isinstance(found.get(name), list) for name in lists):
        return None
    return found if len(found["keys"]) == len(found["labels"]) == len(found[said]) else None
