"""Runs that are there already, side by side: those that differ in seed or training size alone are one variant."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from ftcli.engine.run_folder import RunFolder, open_run_folder
from ftcli.errors import UsageError
from ftcli.plans.study import Finished, Outcome, Trial
from ftcli.recipe.load import load_recipe
from ftcli.workflows.compare.comparison import Comparison, compare
from ftcli.workflows.compare.read_run import outcome_of
from ftcli.workflows.compare.training_work import TrainingWork
from ftcli.workflows.same_plan import FREE

_WITHIN = ("seed", "data.split.train_size", *FREE)
"""What two runs of one variant may differ in."""
_TOLD_APART = re.compile(r"(-n(\d+|all))?(-seed\d+)?$")


def compare_runs(paths: Sequence[Path]) -> Comparison:
    """Raises UsageError for one run that is given twice, MachineError where one is no run folder, or is not complete;

    RecipeError.
    """
    runs = [open_run_folder(path) for path in {path.resolve(): path for path in paths}.values()]
    if len(runs) < 2:
        remedy = "give two run folders or more, or a study's folder"
        raise UsageError("one run alone is nothing to compare", where=str(paths[0]), remedy=remedy)
    groups: dict[str, list[RunFolder]] = {}
    for run in runs:
        groups.setdefault(_what_a_variant_is(run), []).append(run)
    work = TrainingWork()
    names = _names([[run.path for run in group] for group in groups.values()])
    found = [
        finished
        for name, group in zip(names, groups.values(), strict=True)
        for finished in _of_variant([(run, outcome_of(run, name, work)) for run in group])
    ]
    return compare("runs", found)


def _of_variant(runs: Sequence[tuple[RunFolder, Outcome]]) -> Iterator[Finished]:
    """Runs on all images there are have one size, their mean: where groups are divided, each seed leaves others."""
    wanted = [load_recipe(run.recipe).data.split.train_size for run, _ in runs]
    whole = [out.num_train for (_, out), size in zip(runs, wanted, strict=True) if size is None]
    for (run, outcome), size in zip(runs, wanted, strict=True):
        at = round(fmean(whole)) if size is None else size
        yield Finished(Trial(run.path.name, outcome.variant, at, outcome.seed, ()), outcome)


def _what_a_variant_is(run: RunFolder) -> str:
    recipe = load_recipe(run.recipe).model_dump(mode="json")
    for path in _WITHIN:
        _remove(recipe, path.split("."))
    return json.dumps(recipe, sort_keys=True)


def _remove(content: Any, path: Sequence[str]) -> None:
    *around, last = path
    for key in around:
        content = content.get(key, {})
    content.pop(last, None)


def _names(groups: Sequence[Sequence[Path]]) -> list[str]:
    """Of each its first folder's name, without what a study adds for size and seed; whole paths where two are alike."""
    names = [_TOLD_APART.sub("", paths[0].name) or paths[0].name for paths in groups]
    return [
        name if names.count(name) == 1 else str(paths[0]) for name, paths in zip(names, groups, strict=True)
    ]
