"""What a run says of every test example, as a table that other programs read: `test_predictions.csv`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ftcli.plans.data_splits import TEST, DataSplits

if TYPE_CHECKING:
    from torch import Tensor

COLUMNS = ("name", "label", "predicted", "confidence")
"""Then one column for each class, by its name: the probability of it."""
MOST_PROBABILITIES = 5_000_000
"""Beyond so many (about 40 MB) the columns of the classes are left out."""
_THRESHOLD = 0.5


@dataclass(frozen=True)
class Answer:
    """One line. Labels are several, or none, where the data are multi-label; else one."""

    name: str
    labels: tuple[str, ...]
    predicted: tuple[str, ...]
    confidence: float
    probabilities: tuple[float, ...] = ()
    """By class; empty where there were too many to keep."""


@dataclass(frozen=True)
class Answers:
    classes: tuple[str, ...]
    """Those of the columns; empty where these were left out."""
    lines: tuple[Answer, ...]
    multi_label: bool


def predictions_table(logits_NC: Tensor, labels: Tensor, splits: DataSplits) -> str:
    """The table, in the order of the test stream.

    `confidence` is the probability of what is predicted. Of multi-label data (labels (N, C)) label and predicted are
    JSON lists of classes, and the confidence is that of the class the network is least sure of, seen or not seen.
    """
    several = labels.ndim == 2
    probability_NC = (logits_NC.double().sigmoid() if several else logits_NC.double().softmax(dim=1)).cpu()
    kept = probability_NC.numel() <= MOST_PROBABILITIES
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow((*COLUMNS, *(splits.classes if kept else ())))
    answers = _several(probability_NC, splits.classes) if several else _one(probability_NC, splits.classes)
    for index, answer, probability_C in zip(splits.streams[TEST], answers, probability_NC, strict=True):
        example = splits.examples[index]
        names = [splits.classes[label] for label in example.labels]
        told = json.dumps(names, ensure_ascii=False) if several else names[0]
        probabilities = (f"{value:.6g}" for value in probability_C.tolist()) if kept else ()
        table.writerow((example.key, told, *answer, *probabilities))
    return out.getvalue()


def read_predictions(path: Path, *, multi_label: bool) -> Answers:
    """The table again. Raises OSError, and ValueError where it is none."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        if tuple(header[: len(COLUMNS)]) != COLUMNS:
            raise ValueError(f"it does not begin with the columns {', '.join(COLUMNS)}")
        lines = tuple(_answer(row, len(header), multi_label) for row in rows)
    return Answers(tuple(header[len(COLUMNS) :]), lines, multi_label)


def _answer(row: list[str], width: int, multi_label: bool) -> Answer:
    if len(row) != width:
        raise ValueError(f"a line has {len(row)} cells and the first one has {width}")
    name, label, predicted, confidence, *probabilities = row
    labels, seen = (_names(label), _names(predicted)) if multi_label else ((label,), (predicted,))
    return Answer(name, labels, seen, float(confidence), tuple(map(float, probabilities)))


def _names(told: str) -> tuple[str, ...]:
    names = json.loads(told)
    if not isinstance(names, list):
        raise ValueError(f"{told!r} is no list of classes")
    return tuple(map(str, names))


def _one(probability_NC: Tensor, classes: Sequence[str]) -> Iterator[tuple[str, str]]:
    confidence_N, predicted_N = probability_NC.max(dim=1)
    for confidence, predicted in zip(confidence_N.tolist(), predicted_N.tolist(), strict=True):
        yield classes[predicted], f"{confidence:.6g}"


def _several(probability_NC: Tensor, classes: Sequence[str]) -> Iterator[tuple[str, str]]:
    for probability_C in probability_NC.tolist():
        seen = [name for name, value in zip(classes, probability_C, strict=True) if value >= _THRESHOLD]
        least = min(max(value, 1 - value) for value in probability_C)
        yield json.dumps(seen, ensure_ascii=False), f"{least:.6g}"
