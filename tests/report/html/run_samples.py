"""A run on paper, as it would be read from its folder, and a reader of pages that looks at their markup."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from ftcli.events import EpochDone, Scores
from ftcli.findings import Finding
from ftcli.plans.training_plan import TrainingPlan
from ftcli.recipe.load import recipe_from
from ftcli.workflows.predictions_table import Answer, Answers
from ftcli.workflows.report_run import RunRecord
from ftcli.workflows.result import Proof, TrainResult
from tests.report.report_samples import plan

HOSTILE = (
    '<script>alert("1")</script>',
    "\"' onmouseover='alert(1)",
    "\u202egnp.exe",
    "long" * 75,
    "cat 🐈 &amp; dog",
    "two\nlines\x1b[31m",
)
"""Names of classes and files that somebody might give."""
CLASSES = ("cat", "dog", "fish")


def scores(accuracy: float, loss: float = 0.5, **more: Any) -> Scores:
    return Scores(accuracy, accuracy - 0.01, loss, 60, accuracy, **more)


def epoch(number: int, made: TrainingPlan, phase: str, **changes: Any) -> EpochDone:
    """As the engine tells it: the LRs are those of the epoch's last step."""
    planned = next(each for each in made.phases if each.name == phase)
    factor = planned.lr_factor(number + (made.steps_per_epoch - 1) / made.steps_per_epoch) * made.optimizer.lr
    told = EpochDone(
        epoch=number,
        num_epochs=made.epochs,
        phase=phase,
        lr_head=factor * planned.groups[-1].lr_scale,
        lr_lowest=factor * planned.groups[0].lr_scale,
        train_loss=1.5 - 0.1 * number,
        val=scores(0.5 + 0.04 * number, 1.4 - 0.08 * number),
        images_per_second=100.0,
        seconds=1.0,
        best=True,
    )
    return replace(told, **changes)


def answers(classes: tuple[str, ...] = CLASSES, names: tuple[str, ...] = ()) -> Answers:
    """Two thirds of them right; the wrong ones are surer and surer."""
    lines = []
    for number in range(max(60, len(names))):
        true = number % len(classes)
        said = true if number % 3 else (true + 1) % len(classes)
        sure = 0.6 + 0.006 * (number % 60)
        rest = (1 - sure) / (len(classes) - 1)
        probabilities = tuple(sure if place == said else rest for place in range(len(classes)))
        name = names[number] if number < len(names) else f"{number:04}.png"
        lines.append(Answer(name, (classes[true],), (classes[said],), sure, probabilities))
    return Answers(classes, tuple(lines), multi_label=False)


def full_report(classes: tuple[str, ...] = CLASSES) -> dict[str, Any]:
    """As engine/metrics makes it."""
    rates = {"precision": 0.8, "recall": 0.7, "f1": 0.75, "support": 20, "auroc": 0.9}
    count = len(classes)
    return {
        "accuracy": 0.8,
        "ece": 0.05,
        "intervals": {"accuracy": [0.7, 0.9], "macro_f1": [0.6, 0.9]},
        "per_class": [{"class": name, **rates} for name in classes],
        "confusion": [[20 if true == guess else 1 for guess in range(count)] for true in range(count)],
    }


def result(made: TrainingPlan, classes: tuple[str, ...] = CLASSES, **changes: Any) -> TrainResult:
    findings = (
        Finding("error", "train-test", f"2 pairs: {classes[0]}", "split again", "duplicate-across-splits"),
        Finding("warning", "optimizer.lr", "too high", "lower it", "backbone-lr-erases"),
    )
    told = TrainResult(
        run="runs/pets",
        backbone=made.layer_map.backbone,
        strategy=made.strategy,
        classes=classes,
        floor=scores(0.7),
        ceiling=scores(0.84),
        test=scores(0.8),
        verdict="fine-tuning beats the linear probe by 14.0 points of accuracy",
        verdict_kind="gain",
        frozen=Proof(62, 0, ()),
        findings=findings,
        epochs_run=6,
        best_epoch=5,
        best_phase="full",
        weights="runs/pets/best.safetensors",
        predict_command="ftcli predict runs/pets cat.png",
        seconds=83.0,
        test_report=full_report(classes),
        test_without_leaks=scores(0.78),
    )
    return replace(told, **changes)


def record(classes: tuple[str, ...] = CLASSES, **changes: Any) -> RunRecord:
    """A complete run of two phases. Its data are nowhere."""
    made = plan({"kind": "lp_ft", "head_epochs": 2}, classes=classes, train={"epochs": 6})
    names = [phase.name for phase in made.phases]
    recipe = recipe_from(
        {
            "name": "pets",
            "data": {"kind": "folder", "path": "nowhere"},
            "model": {"backbone": "torchvision/resnet18"},
            "strategy": "lp_ft",
        }
    )
    told = RunRecord(
        path=Path("runs/pets"),
        result=result(made, classes),
        summary={},
        plan=made,
        fingerprint=made.fingerprint(),
        epochs=tuple(epoch(number, made, names[number >= 2]) for number in range(6)),
        environment={"ftcli": "0.1.0", "python": "3.12.1", "packages": {"torch": "2.11.0"}},
        split={"source": "pets", "counts": {"train": 300, "test": 60}, "sha256": "ab" * 32},
        recipe=recipe,
        recipe_text="name: pets\nstrategy: lp_ft\n",
        answers=answers(classes),
        diagnosis={},
        unreadable=(),
    )
    return replace(told, **changes)


class Outline(HTMLParser):
    """Tags in their order with their attributes, and whether each was closed where it should be."""

    VOID = ("meta", "img", "br")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.seen if name == tag]
