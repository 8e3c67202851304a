"""Runs on paper: an LP-FT of ten epochs, told in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftcli.events import EpochDone, Scores
from ftcli.planner.monitors.history import History
from ftcli.plans.signals import Signals, StageDrift
from tests.report.report_samples import plan

LAYERS = ("stem", "layer1", "layer2", "layer3", "layer4")


def scores(accuracy: float, loss: float, count: int = 500) -> Scores:
    return Scores(accuracy, accuracy, loss, count, accuracy)


def signals(
    moved: float = 0.05, head: float = 2.0, share: float = 0.15, spread: float = 0.5, error: float = 0.01
) -> Signals:
    """`moved`: of every stage of the backbone."""
    drift = (*(StageDrift(name, moved, moved, moved) for name in LAYERS), StageDrift("head", head))
    return Signals(drift, error, spread, 3, share)


def history(
    train_loss: Sequence[float],
    loss: Sequence[float],
    accuracy: Sequence[float],
    strategy: Any = "full",
    shown: Sequence[Signals] | None = None,
    count: int = 500,
    **values: Any,
) -> History:
    """An epoch for each number. `values` of History go there, others are sections of the recipe."""
    sections = {key: values.pop(key) for key in list(values) if key not in History.__dataclass_fields__}
    sections.setdefault("train", {"epochs": max(len(train_loss), 10)})
    made = plan(strategy, **sections)
    rows = [
        EpochDone(epoch, made.epochs, phase_at(made, epoch), 1e-3, 1e-4, *numbers)
        for epoch, numbers in enumerate(
            zip(
                train_loss,
                [scores(a, v, count) for a, v in zip(accuracy, loss, strict=True)],
                [100.0] * len(train_loss),
                [1.0] * len(train_loss),
                [False] * len(train_loss),
                shown or [signals()] * len(train_loss),
                strict=True,
            )
        )
    ]
    return History(made, tuple(rows), val_counts=values.pop("val_counts", (count // 10,) * 10), **values)


def phase_at(made: Any, epoch: int) -> str:
    return next(phase.name for phase in made.phases if phase.start_epoch <= epoch < phase.end_epoch)


WELL = history(
    train_loss=[1.9, 1.1, 0.7, 0.5, 0.4, 0.33, 0.28, 0.25, 0.23, 0.22],
    loss=[1.5, 1.0, 0.75, 0.6, 0.55, 0.52, 0.5, 0.5, 0.49, 0.49],
    accuracy=[0.5, 0.7, 0.78, 0.82, 0.84, 0.85, 0.85, 0.86, 0.86, 0.86],
    ended=True,
)
