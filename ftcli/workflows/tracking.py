"""Trackers beside the run's own listener: each is told what happens, and one that fails is told of and left alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from ftcli.events import EpochDone, Event, Listener, Noticed, RunDone, Scores
from ftcli.findings import Finding
from ftcli.plans.training_plan import TrainingPlan
from ftcli.recipe.schema import Recipe
from ftcli.registry import Choice, implementation


class _Tracked:
    """A tracker and its kind; `tracker` is None once it has failed."""

    def __init__(self, options: Choice, tell: Listener) -> None:
        self.options = options
        self.tell = tell
        self.tracker: Any = None

    def attempt(self, do: Callable[[], object]) -> None:
        """Whatever comes of it, the run goes on."""
        try:
            do()
        except Exception as error:
            self.tracker = None
            self.tell(Noticed(_failed(self.options.kind, error)))

    def open(self, run: Any, facts: Mapping[str, Any]) -> None:
        self.tracker = implementation(self.options, "open_tracker")(self.options, run)
        self.tracker.begin(facts)

    def log(self, values: Mapping[str, float], epoch: int) -> None:
        if self.tracker is not None:
            self.attempt(lambda: self.tracker.log(values, epoch))

    def close(self, complete: bool) -> None:
        if self.tracker is not None:
            self.attempt(lambda: self.tracker.close(complete=complete))


@contextmanager
def tracked(recipe: Recipe, run: Path, plan: TrainingPlan, tell: Listener) -> Iterator[Listener]:
    """The listener, and beside it the recipe's trackers, which are closed in the end, however that comes.

    `run` is the run folder, in which the recipe is written already.
    """
    trackers = [_Tracked(options, tell) for options in recipe.trackers]
    if trackers:
        _open(trackers, recipe, run, plan)
    complete = False

    def listen(event: Event) -> None:
        nonlocal complete
        if isinstance(event, EpochDone):
            for tracker in trackers:
                tracker.log(numbers_of(event), event.epoch)
        elif isinstance(event, RunDone):
            complete = True
            for tracker in trackers:
                tracker.log(_of_scores("test", event.test), plan.epochs)
        tell(event)

    try:
        yield listen
    finally:
        for tracker in trackers:
            tracker.close(complete)


def _open(trackers: Sequence[_Tracked], recipe: Recipe, run: Path, plan: TrainingPlan) -> None:
    from ftcli.components.tracker._protocol import TrackedRun

    about = TrackedRun(run, recipe.name, _identity(run))
    for tracker in trackers:
        tracker.attempt(lambda tracker=tracker: tracker.open(about, facts_of(plan)))  # type: ignore[misc]


def numbers_of(epoch: EpochDone) -> dict[str, float]:
    """By the names under which trackers show them."""
    return {
        "train/loss": epoch.train_loss,
        **_of_scores("val", epoch.val),
        "lr/head": epoch.lr_head,
        "lr/lowest": epoch.lr_lowest,
        "speed/images_per_second": epoch.images_per_second,
    }


def facts_of(plan: TrainingPlan) -> dict[str, str | int | float]:
    return {
        "backbone": plan.layer_map.backbone,
        "strategy": plan.strategy,
        "classes": len(plan.classes),
        "train_examples": plan.num_train,
        "epochs": plan.epochs,
        "batch_size": plan.batch_size * plan.accumulation,
        "optimizer": plan.optimizer.kind,
        "lr": plan.optimizer.lr,
        "weight_decay": plan.optimizer.weight_decay,
        "schedule": plan.schedule,
        "norm": plan.norm.kind,
        "precision": plan.precision,
        "seed": plan.seed,
        "fingerprint": plan.fingerprint(),
    }


def _of_scores(stream: str, scores: Scores) -> dict[str, float]:
    known = {name: value for name, value in scores.to_dict().items() if value is not None}
    return {f"{stream}/{name}": float(value) for name, value in known.items() if name != "num_examples"}


def _identity(run: Path) -> str:
    """Of the folder, and of when the run in it began: its recipe is written once."""
    began = (run / "recipe.yaml").stat().st_mtime_ns
    return sha256(f"{os.path.abspath(run)} {began}".encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _failed(kind: str, error: Exception) -> Finding:
    remedy = "mend it, or leave the tracker out; metrics.jsonl in the run folder has every number"
    if isinstance(error, ImportError):
        remedy = f"pip install 'ftcli[{kind}]', or leave the tracker out"
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    message = f"{kind} is told nothing more: {reason}; the run goes on"
    return Finding("warning", f"trackers.{kind}", message, remedy, "tracker-failed")
