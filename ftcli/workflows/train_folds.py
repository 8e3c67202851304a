"""k-fold: the same recipe once for each part that validates, and what comes out on average and how widely."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from pydantic import ValidationError

from ftcli.errors import UsageError
from ftcli.events import Listener, Scores
from ftcli.recipe.schema import Recipe
from ftcli.workflows.result import TrainResult
from ftcli.workflows.train import train

DEFAULT_FOLDS = 5
"""Where the recipe does not say how many."""
MEASURES = ("floor", "ceiling", "test")
METRICS = ("accuracy", "macro_f1", "loss")


@dataclass(frozen=True)
class Spread:
    """The mean over folds and the sample standard deviation; `values` by fold."""

    mean: float
    std: float
    values: tuple[float, ...]


@dataclass(frozen=True)
class FoldsResult:
    """The runs of all folds. The test images are the same for each, floor and ceiling are the fold's own."""

    name: str
    folds: tuple[TrainResult, ...]

    def spread(self, measure: str, metric: str) -> Spread | None:
        """Of floor, ceiling or test; None where a fold has no such scores."""
        scores: list[Scores | None] = [getattr(fold, measure) for fold in self.folds]
        values = tuple(getattr(score, metric) for score in scores if score is not None)
        if len(values) < len(self.folds):
            return None
        return Spread(fmean(values), stdev(values), values)

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "num_folds": len(self.folds),
            **{measure: self._measured(measure) for measure in MEASURES},
            "folds": [fold.to_dict() for fold in self.folds],
        }

    def _measured(self, measure: str) -> dict[str, Any] | None:
        spreads = {metric: self.spread(measure, metric) for metric in METRICS}
        told = {metric: vars(spread) for metric, spread in spreads.items() if spread is not None}
        return told or None


def train_folds(recipe: Recipe, *, out: Path | None, resume: bool, listener: Listener) -> FoldsResult:
    """Every fold, one after the other, each in a run folder of its own: NAME-fold0, NAME-fold1, ...

    With `resume` the folds that are complete are taken as they are.
    """
    results = []
    for number in range(recipe.data.split.folds or DEFAULT_FOLDS):
        one = of_fold(recipe, number)
        results.append(train(one, out=folder_of(out, number), resume=resume, listener=listener))
    return FoldsResult(recipe.name, tuple(results))


def of_fold(recipe: Recipe, number: int) -> Recipe:
    """The recipe for one fold, its name NAME-foldK. Raises UsageError when there is no such fold."""
    split = recipe.data.split
    folds = split.folds or DEFAULT_FOLDS
    try:
        changed = type(split).model_validate({**split.model_dump(), "folds": folds, "fold": number})
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UsageError(reason, where="data.split", remedy="change data.split in the recipe") from error
    data = recipe.data.model_copy(update={"split": changed})
    return recipe.model_copy(update={"name": f"{recipe.name}-fold{number}", "data": data})


def folder_of(out: Path | None, number: int) -> Path | None:
    """RUN-foldK beside the folder that was asked for; None leaves it to the recipe's name."""
    return None if out is None else out.with_name(f"{out.name}-fold{number}")
