"""Which run `--resume` means, and what a complete one has already said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ftcli.engine import run_lock
from ftcli.engine.run_folder import RUNS, RunFolder
from ftcli.errors import MachineError
from ftcli.events import Scores
from ftcli.findings import Finding
from ftcli.plans.forgetting import Forgetting
from ftcli.plans.profile import profile_from
from ftcli.plans.samples import Sample
from ftcli.plans.signals import StageDrift
from ftcli.workflows.result import Proof, Reuse, TrainResult

SCORED = ("floor", "ceiling", "test", "val", "test_without_leaks")
"""Fields of a result that are scores; the last two are younger than the others."""


def find_run(out: Path | None, name: str) -> RunFolder | None:
    """The folder given, or the newest run of that name; None when there is nothing to go on with."""
    if out is not None:
        return RunFolder(out) if (out / "recipe.yaml").is_file() else None
    runs = [path for path in RUNS.glob(f"{name}*") if _is_run_of(path, name)]
    return RunFolder(max(runs, key=lambda path: path.stat().st_mtime)) if runs else None


def saved_result(run: RunFolder) -> TrainResult:
    """The result of a run that is complete. Raises MachineError when its summary cannot be read."""
    try:
        return _result_of(json.loads(run.summary.read_text(encoding="utf-8")))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        what = f"the run's summary cannot be read: {error}"
        remedy = "start a new run with another --out"
        raise MachineError(what, where=str(run.summary), remedy=remedy) from error


def _result_of(values: dict[str, Any]) -> TrainResult:
    scores = {key: Scores(**values[key]) if values.get(key) else None for key in SCORED}
    proof = Proof(**{**values["frozen"], "names": tuple(values["frozen"]["names"])})
    findings = tuple(Finding(**finding) for finding in values["findings"])
    reuse = Reuse(**values["reuse"]) if values.get("reuse") else None
    profile = profile_from(values["profile"]) if values.get("profile") else None
    forgetting = Forgetting(**values["forgetting"]) if values.get("forgetting") else None
    rest = {
        "reuse": reuse,
        "forgetting": forgetting,
        "profile": profile,
        "classes": tuple(values["classes"]),
        "frozen": proof,
        "findings": findings,
        "augment": tuple(values.get("augment", ())),
        "drift": tuple(StageDrift(**stage) for stage in values.get("drift", ())),
        "samples": tuple(Sample.from_dict(sample) for sample in values.get("samples", ())),
    }
    return TrainResult(**{**values, **scores, **rest})


def _is_run_of(path: Path, name: str) -> bool:
    suffix = path.name.removeprefix(name)
    begun = any((path / file).is_file() for file in ("recipe.yaml", run_lock.NAME))
    return begun and (not suffix or suffix.removeprefix("-").isdigit())
