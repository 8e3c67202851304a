"""What is said of every test example, written and read again."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from ftcli.plans.data_splits import DataSplits, Example
from ftcli.workflows import predictions_table as module
from ftcli.workflows.predictions_table import predictions_table, read_predictions

NAMES = ('a "b", c.png', "two\nlines.png", "=1+1.png", "🐈.png")
CLASSES = ("cat, dog", "label", '"')


def splits(labels: list[int | tuple[int, ...]], *, multi_label: bool = False) -> DataSplits:
    examples = (
        Example("train.png", labels[0]),
        *(Example(n, label) for n, label in zip(NAMES, labels, strict=True)),
    )

    def load(index: int) -> None:
        raise AssertionError

    streams = {"train": (0,), "test": (4, 3, 2, 1)}
    return DataSplits("here", CLASSES, examples, streams, load, multi_label=multi_label)  # type: ignore[arg-type]


def written(tmp_path: Path, text: str) -> Path:
    (tmp_path / "test_predictions.csv").write_text(text, encoding="utf-8", newline="")
    return tmp_path / "test_predictions.csv"


def test_one_class_each(tmp_path: Path) -> None:
    logits = torch.tensor([[3.0, 0, 0], [0, 2.0, 0], [0, 0, 1.0], [9.0, 0, 0]])
    text = predictions_table(logits, torch.tensor([0, 1, 0, 0]), splits([0, 0, 1, 0]))
    with written(tmp_path, text).open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["name", "label", "predicted", "confidence", *CLASSES]
    assert [row[0] for row in rows] == list(reversed(NAMES))
    found = read_predictions(tmp_path / "test_predictions.csv", multi_label=False)
    assert [line.predicted for line in found.lines] == [("cat, dog",), ("label",), ('"',), ("cat, dog",)]
    assert [line.labels for line in found.lines] == [("cat, dog",), ("label",), ("cat, dog",), ("cat, dog",)]
    for line, probabilities in zip(found.lines, logits.softmax(dim=1).tolist(), strict=True):
        assert line.probabilities == pytest.approx(probabilities, rel=1e-5)
        assert line.confidence == max(line.probabilities)


def test_several_classes(tmp_path: Path) -> None:
    logits = torch.tensor([[3.0, 1, -2], [-1, -2.0, -3], [1, 1, 1.0], [9.0, 0.5, -9]])
    targets = torch.tensor([[1.0, 1, 0], [0, 0, 0], [0, 0, 1], [1, 0, 0]])
    made = splits([(0,), (2,), (), (0, 1)], multi_label=True)
    found = read_predictions(written(tmp_path, predictions_table(logits, targets, made)), multi_label=True)
    assert [line.labels for line in found.lines] == [("cat, dog", "label"), (), ('"',), ("cat, dog",)]
    assert [line.predicted for line in found.lines] == [CLASSES[:2], (), CLASSES, CLASSES[:2]]
    assert found.lines[0].confidence == pytest.approx(torch.tensor(1.0).sigmoid().item(), rel=1e-5)
    assert found.lines[1].confidence == pytest.approx(torch.tensor(1.0).sigmoid().item(), rel=1e-5)


def test_of_too_many_only_what_was_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PROBABILITIES", 11)
    text = predictions_table(torch.eye(4)[:, :3], torch.tensor([0, 1, 2, 0]), splits([0, 2, 1, 0]))
    found = read_predictions(written(tmp_path, text), multi_label=False)
    assert found.classes == ()
    assert found.lines[0].probabilities == ()
    assert found.lines[0].confidence == pytest.approx(0.5761, abs=1e-4)


@pytest.mark.parametrize(
    "text",
    ["", "a,b\n", "name,label,predicted,confidence\nx,y,z\n", "name,label,predicted,confidence\na,b,c,d\n"],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError):
        read_predictions(written(tmp_path, text), multi_label=False)
