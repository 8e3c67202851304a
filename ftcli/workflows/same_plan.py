"""Whether a run may be gone on with: the plan and the data that it began with, or a list of what differs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ftcli.engine.run_folder import RunFolder
from ftcli.errors import RecipeError, UsageError
from ftcli.plans.data_splits import DataSplits, split_record
from ftcli.plans.training_plan import TrainingPlan
from ftcli.recipe.load import load_recipe
from ftcli.recipe.schema import Recipe
from ftcli.workflows.absolute_paths import with_absolute_paths
from ftcli.workflows.prepare import Prepared

FREE = (
    "name",
    "checkpoint",
    "forgetting",
    "generation",
    "cache.disk_gb",
    "runtime.cuda_graphs",
    "runtime.workers",
    "runtime.image_memory_gb",
)
"""Parts of a recipe that decide no number: a run may go on with others."""
ADVICE = ("findings", "decisions", "fingerprint", "cuda_graphs")
SHOWN = 8
"""Differences that are told; of more, their number."""


def refuse_another_plan(run: RunFolder, recipe: Recipe, prepared: Prepared) -> None:
    """Raises UsageError, with what differs, where the run began with another plan or with other data."""
    plan = _read(run.plan)
    if plan is None:  # it was cut off before anything was decided
        return
    data = list(_data_differences(_read(run.split), prepared.splits))
    if plan.get("fingerprint") == prepared.plan.fingerprint() and not data:
        return
    found = list(_recipe_differences(run, recipe)) or data or list(_plan_differences(plan, prepared.plan))
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    raise UsageError(
        f"the run began with another plan (what it was -> what it is): {'; '.join(found[:SHOWN])}{more}",
        where=str(run.path),
        remedy="take that back, `ftcli resume` goes on with the run's own recipe; or begin anew with another --out",
    )


def _recipe_differences(run: RunFolder, recipe: Recipe) -> Iterator[str]:
    """By recipe path; none where the run's own cannot be read."""
    try:
        began = load_recipe(run.recipe).model_dump(mode="json")
    except (RecipeError, UsageError):
        return
    yield from differences(began, with_absolute_paths(recipe).model_dump(mode="json"), FREE)


def _data_differences(record: Mapping[str, Any] | None, splits: DataSplits) -> Iterator[str]:
    if record is None:
        return
    record_now = split_record(splits)
    was, now = _stream_of(record), _stream_of(record_now)
    new, gone = [key for key in now if key not in was], [key for key in was if key not in now]
    moved = [key for key in was if key in now and was[key] != now[key]]
    for keys, what in ((new, "are new"), (gone, "are gone"), (moved, "are in another part of the split")):
        if keys:
            yield f"the data has changed: {len(keys)} examples {what}, {keys[0]!r} first"
    if (
        not (new or gone or moved)
        and record.get("examples", record_now["examples"]) != record_now["examples"]
    ):
        yield "the data has changed: labels, weights or the order of the examples are others"


def _stream_of(record: Mapping[str, Any]) -> dict[str, str]:
    return {key: stream for stream, keys in record["streams"].items() for key in keys}


def _plan_differences(began: Mapping[str, Any], plan: TrainingPlan) -> Iterator[str]:
    """By path in plan.json; that the network or the software is another shows there alone."""
    found = list(differences(began, plan.to_dict(), ADVICE))
    yield from found or ["another version of ftcli made it"]


def differences(was: Any, now: Any, but: tuple[str, ...], path: str = "") -> Iterator[str]:
    """`path: value -> value` of the smallest parts that differ."""
    if was == now or path in but:
        return
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for key in {**was, **now}:
            yield from differences(was.get(key), now.get(key), but, f"{path}.{key}" if path else key)
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for number, (one, other) in enumerate(zip(was, now, strict=True)):
            yield from differences(one, other, but, f"{path}[{number}]")
    else:
        yield f"{path}: {_shown(was)} -> {_shown(now)}"


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
