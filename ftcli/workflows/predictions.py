"""What a network says of each example of a stream, as a run folder keeps it: written, and read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from ftcli.plans.data_splits import DataSplits

_LISTS = ("classes", "keys", "labels", "predicted")


def predictions_of(splits: DataSplits, stream: str, logits_NC: Tensor, labels: Tensor) -> dict[str, Any]:
    """By example its key, its label and what was predicted: classes by number, of multi-label data all of them.

    A class of several counts as predicted from a probability of 1/2 on.
    """
    several = labels.ndim == 2
    return {
        "classes": list(splits.classes),
        "keys": [splits.examples[i].key for i in splits.streams[stream]],
        "labels": _numbers(labels) if several else labels.tolist(),
        "predicted": _numbers(logits_NC >= 0) if several else logits_NC.argmax(dim=1).tolist(),
    }


def read_predictions(path: Path) -> dict[str, Any] | None:
    """None where a run has left none (it is older), or they are damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict) or not all(isinstance(found.get(name), list) for name in _LISTS):
        return None
    return found if len(found["keys"]) == len(found["labels"]) == len(found["predicted"]) else None


def _numbers(flags_NC: Tensor) -> list[list[int]]:
    return [row.nonzero().flatten().tolist() for row in flags_NC]
