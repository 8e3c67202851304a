"""What a run has left in its folder, read for a report: no network is opened, and nothing is computed again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ftcli.engine.run_folder import RunFolder, open_run_folder
from ftcli.errors import FtcliError, MachineError
from ftcli.events import EpochDone
from ftcli.plans.training_plan import TrainingPlan
from ftcli.recipe.load import load_recipe
from ftcli.recipe.schema import Recipe
from ftcli.workflows.predictions_table import Answers, read_predictions
from ftcli.workflows.report_images import OpenImage
from ftcli.workflows.result import TrainResult

T = TypeVar("T")


@dataclass(frozen=True)
class RunRecord:
    """A run as its files tell it. What is None or empty is not there, or not as this version writes it."""

    path: Path
    result: TrainResult | None
    """None while the run is not complete."""
    summary: Mapping[str, Any]
    """The same as it stands in the file, which may hold more."""
    plan: TrainingPlan | None
    fingerprint: str
    epochs: tuple[EpochDone, ...]
    environment: Mapping[str, Any]
    split: Mapping[str, Any]
    recipe: Recipe | None
    recipe_text: str
    answers: Answers | None
    """Of the test examples."""
    diagnosis: Mapping[str, Any]
    unreadable: tuple[str, ...]
    """Files that are damaged, or of another version; with the reason."""
    image: OpenImage | None = None
    """By the name of an example, where the data are open anyway."""

    @cached_property
    def name(self) -> str:
        return self.path.resolve().name

    @property
    def classes(self) -> tuple[str, ...]:
        return self.result.classes if self.result else self.plan.classes if self.plan else ()


def read_run(path: Path) -> RunRecord:
    """Raises MachineError for what is no run folder, and for a summary that cannot be read."""
    run = open_run_folder(path)
    problems: list[str] = []
    summary = _of_summary(run)
    result = _validated(TrainResult, summary, run.summary) if summary else None
    read = _Reader(problems)
    plan = read(run.plan, _json)
    is_multi_label = bool((summary.get("test_report") or {}).get("multi_label"))
    return RunRecord(
        path=path,
        result=result,
        summary=summary,
        plan=read(run.plan, _plan),
        fingerprint=str((plan or {}).get("fingerprint", "")),
        epochs=read(run.metrics, _epochs) or (),
        environment=read(run.environment, _json) or {},
        split=read(run.split, _json) or {},
        recipe=read(run.recipe, load_recipe),
        recipe_text=read(run.recipe, lambda file: file.read_text(encoding="utf-8")) or "",
        answers=read(run.test_predictions, lambda file: read_predictions(file, multi_label=is_multi_label)),
        diagnosis=read(run.diagnosis, _json) or {},
        unreadable=tuple(dict.fromkeys(problems)),
    )


@dataclass(frozen=True)
class _Reader:
    """Reads a file that may be missing or damaged, which is no reason to show nothing."""

    problems: list[str]

    def __call__(self, file: Path, read: Callable[[Path], T]) -> T | None:
        if not file.exists():
            return None
        try:
            return read(file)
        except FtcliError as error:
            self.problems.append(f"{file.name}: {error.what}")
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            self.problems.append(f"{file.name}: {getattr(error, 'strerror', None) or error}")
        return None


def _of_summary(run: RunFolder) -> dict[str, Any]:
    """Empty of a run that is not complete."""
    if not run.summary.exists():
        return {}
    try:
        return _json(run.summary)
    except (OSError, ValueError) as error:
        raise _unreadable(run.summary, getattr(error, "strerror", None) or str(error)) from error


def _json(file: Path) -> dict[str, Any]:
    found = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError("it holds no JSON object")
    return found


def _plan(file: Path) -> TrainingPlan:
    found: TrainingPlan = _validated(TrainingPlan, _json(file), file)
    return found


def _epochs(file: Path) -> tuple[EpochDone, ...]:
    lines = file.read_text(encoding="utf-8").splitlines()
    found: tuple[EpochDone, ...] = _validated(
        tuple[EpochDone, ...], [json.loads(line) for line in lines], file
    )
    return found


def _validated(kind: Any, value: Any, file: Path) -> Any:
    """Of the types that `kind` says; fields that a later version has added are passed over. Raises MachineError."""
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise _unreadable(file, f"{place}: {first['msg']}") from error


def _unreadable(file: Path, reason: str) -> MachineError:
    return MachineError(f"cannot be read: {reason}", where=str(file), remedy="restore the file")
