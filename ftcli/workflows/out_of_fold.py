"""Every example that is not the test's, predicted once: by the fold that it validated and did not train."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ftcli.engine.metrics import balanced_accuracy, intervals
from ftcli.engine.run_folder import RunFolder
from ftcli.engine.work import Work
from ftcli.plans.data_splits import VAL
from ftcli.workflows.predictions import predictions_of, read_predictions


@dataclass(frozen=True)
class Pooled:
    """Scores over the validation examples of all folds together; `intervals` are 95% by bootstrap (low, high)."""

    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    num_examples: int
    intervals: dict[str, list[float]]


def out_of_fold(work: Work) -> dict[str, Any]:
    """What the network says of its validation examples, as the run folder keeps it: classes by number."""
    return predictions_of(work.batches.store.splits, VAL, *work.predict(VAL))


def pooled(runs: Sequence[str], seed: int) -> Pooled | None:
    """None where a run left no such file (it is older), or the files do not belong together."""
    parts = [read_predictions(RunFolder(Path(run)).out_of_fold) for run in runs]
    known = [part for part in parts if part is not None]
    keys = [key for part in known for key in part["keys"]]
    classes = {tuple(part["classes"]) for part in known}
    if len(known) < len(runs) or len(classes) != 1 or len(set(keys)) < len(keys):
        return None
    labels_N = torch.tensor([label for part in known for label in part["labels"]])
    predicted_N = torch.tensor([label for part in known for label in part["predicted"]])
    return _scored(predicted_N, labels_N, len(classes.pop()), seed)


def _scored(predicted_N: Tensor, labels_N: Tensor, num_classes: int, seed: int) -> Pooled:
    from torchmetrics.functional.classification import multiclass_f1_score

    return Pooled(
        accuracy=(predicted_N == labels_N).double().mean().item(),
        balanced_accuracy=balanced_accuracy(predicted_N, labels_N, num_classes),
        macro_f1=multiclass_f1_score(predicted_N, labels_N, num_classes=num_classes, average="macro").item(),
        num_examples=len(labels_N),
        intervals=intervals(predicted_N, labels_N, num_classes, seed),
    )
