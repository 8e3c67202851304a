"""k-fold: the same recipe once for each part that validates, and what comes out on average and how widely."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from pydantic import ValidationError

from ftcli.errors import UsageError
from ftcli.events import FoldStarted, Listener, Noticed, Scores
from ftcli.findings import Finding
from ftcli.recipe.schema import Recipe
from ftcli.workflows.decoded import Decoded
from ftcli.workflows.out_of_fold import Pooled, pooled
from ftcli.workflows.result import TrainResult
from ftcli.workflows.train import train

DEFAULT_FOLDS = 5
"""Where the recipe does not say how many."""
MEASURES = ("floor", "ceiling", "val", "test")
METRICS = ("accuracy", "macro_f1", "mean_average_precision", "loss")


@dataclass(frozen=True)
class Spread:
    """The mean over folds and the sample standard deviation; `values` by fold."""

    mean: float
    std: float
    values: tuple[float, ...]


@dataclass(frozen=True)
class FoldsResult:
    """The runs of all folds. The test images are the same for each, floor, ceiling and val are the fold's own."""

    name: str
    folds: tuple[TrainResult, ...]
    pooled: Pooled | None = None
    """Over all examples but the test's, each predicted by the fold that it validated; None where one is missing."""

    def spread(self, measure: str, metric: str) -> Spread | None:
        """Of floor, ceiling, val or test; None where a fold has no such score."""
        scores: list[Scores | None] = [getattr(fold, measure) for fold in self.folds]
        found = [getattr(score, metric) for score in scores if score is not None]
        values = tuple(value for value in found if value is not None)
        if len(values) < len(self.folds):
            return None
        return Spread(fmean(values), stdev(values), values)

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "num_folds": len(self.folds),
            **{measure: self._measured(measure) for measure in MEASURES},
            "pooled": None if self.pooled is None else asdict(self.pooled),
            "folds": [fold.to_dict() for fold in self.folds],
        }

    def _measured(self, measure: str) -> dict[str, Any] | None:
        spreads = {metric: self.spread(measure, metric) for metric in METRICS}
        told = {metric: vars(spread) for metric, spread in spreads.items() if spread is not None}
        return told or None


def train_folds(
    recipe: Recipe, *, out: Path | None, resume: bool, listener: Listener, audit_command: str | None = None
) -> FoldsResult:
    """Every fold, one after the other, each in a run folder of its own: NAME-fold0, NAME-fold1, ...

    With `resume` the folds that are complete are taken as they are. Images are decoded once for all of them.
    `audit_command` is as in `train`, for the recipe without its folds.
    """
    tell_default(recipe, listener)
    folds = recipe.data.split.folds or DEFAULT_FOLDS
    results, decoded = [], Decoded()
    for number in range(folds):
        one = of_fold(recipe, number)
        listener(FoldStarted(number, folds))
        place = folder_of(out, number)
        command = None if audit_command is None else audit_of_fold(audit_command, one)
        results.append(
            train(one, out=place, resume=resume, listener=listener, decoded=decoded, audit_command=command)
        )
    return FoldsResult(recipe.name, tuple(results), pooled([result.run for result in results], recipe.seed))


def tell_default(recipe: Recipe, listener: Listener) -> None:
    """A word where the recipe does not say how many folds there are."""
    if recipe.data.split.folds is None:
        message = f"the recipe does not say how many folds there are, so there are {DEFAULT_FOLDS}"
        remedy = "set data.split.folds for another number"
        listener(Noticed(Finding("info", "data.split.folds", message, remedy, "folds-by-default")))


def of_fold(recipe: Recipe, number: int) -> Recipe:
    """The recipe for one fold, its name NAME-foldK. Raises UsageError when there is no such fold."""
    split = recipe.data.split
    folds = split.folds or DEFAULT_FOLDS
    if number >= folds:
        what = f"there is no fold {number}: there are {folds}, counted from 0"
        remedy = f"give --fold 0 to {folds - 1}, or raise data.split.folds"
        raise UsageError(what, where=f"--fold {number}", remedy=remedy)
    try:
        changed = type(split).model_validate({**split.model_dump(), "folds": folds, "fold": number})
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        remedy = "change data.split, or leave out --fold and --folds"
        raise UsageError(reason, where="data.split", remedy=remedy) from error
    data = recipe.data.model_copy(update={"split": changed})
    return recipe.model_copy(update={"name": f"{recipe.name}-fold{number}", "data": data})


def audit_of_fold(command: str, recipe: Recipe) -> str:
    """The command that audits a recipe's data, for those of a fold of it."""
    split = recipe.data.split
    return f"{command} --set data.split.folds={split.folds} --set data.split.fold={split.fold}"


def folder_of(out: Path | None, number: int) -> Path | None:
    """RUN-foldK beside the folder that was asked for; None leaves it to the recipe's name."""
    return None if out is None else out.with_name(f"{out.name}-fold{number}")
