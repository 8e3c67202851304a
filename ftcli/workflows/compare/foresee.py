"""What will fail is told before the first run of a study begins: its turn may come after hours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ftcli.errors import FtcliError
from ftcli.findings import Finding
from ftcli.plans.study import Trial
from ftcli.recipe.schema import Recipe
from ftcli.workflows.compare.failure import failure_of
from ftcli.workflows.inspect import inspect_recipe
from ftcli.workflows.prepare import open_splits


def foreseen(trials: Iterable[Trial], recipes: Mapping[str, Recipe]) -> Iterator[Finding]:
    """A finding for each variant and size that has no split or no plan; of several seeds one is tried."""
    seen: set[tuple[str, object]] = set()
    for trial in trials:
        if (trial.variant, trial.size) in seen:
            continue
        seen.add((trial.variant, trial.size))
        try:
            open_splits(recipes[trial.name])
            inspect_recipe(recipes[trial.name])
        except FtcliError as error:
            failure = failure_of(error)
            remedy = failure.remedy or "stop, and leave it out"
            yield Finding("warning", trial.name, f"will fail: {failure.what}", remedy, "run-will-fail")
