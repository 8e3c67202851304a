"""What a run froze and trained: its plan compiled again, beside what its files say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftcli.engine.run_folder import RunFolder, open_run_folder
from ftcli.engine.weights_file import ModelCard, dtypes_in, read_card
from ftcli.engine.whole_checkpoint import best_model
from ftcli.errors import MachineError
from ftcli.findings import Finding
from ftcli.plans.freeze_facts import FreezeFacts
from ftcli.plans.training_plan import ALWAYS_BEFORE, TrainingPlan
from ftcli.recipe.load import load_recipe
from ftcli.workflows.inspect import Inspected, inspect_model, inspect_plan, plan_for
from ftcli.workflows.same_plan import ADVICE
from ftcli.workflows.saved_model import load_saved


def inspect_path(path: Path) -> Inspected:
    """A run folder, a checkpoint in one, or a model file on its own. Raises MachineError for anything else."""
    if path.is_dir():
        return _of_run(open_run_folder(_run_around(path)))
    run = RunFolder(path.parent)
    if path.is_file() and path.name == run.best.name and run.recipe.is_file():
        return _of_run(run)
    return _of_model_file(path)


def _of_run(run: RunFolder) -> Inspected:
    kept = _read(run.plan)
    card, dtypes = _saved(run)
    counts = kept.get("class_counts")
    known = tuple(kept["classes"]), _num_train(kept), None if counts is None else tuple(counts)
    multi_label = kept.get("objective", {}).get("multi_label", False)
    precision = run.recorded_precision()
    plan = plan_for(load_recipe(run.recipe), *known, card, precision, multi_label=multi_label)
    inspected = inspect_plan(plan)
    findings = (*inspected.findings, *_differs(run, plan, kept), *_outcome(run))
    phases = tuple(_with_dtypes(facts, dtypes) for facts in inspected.phases)
    return replace(inspected, subject=str(run.path), phases=phases, findings=findings, notes=_notes(run))


def _of_model_file(path: Path) -> Inspected:
    """It knows its network, and nothing of how that was trained; as it is, nothing of it trains."""
    saved = load_saved(path, "cpu")
    saved.network.model.requires_grad_(False)
    inspected = inspect_model(saved.network.model, (), saved.network)
    note = "a model on its own, in use: which phases trained it, only its run folder knows"
    return replace(inspected, subject=str(path), findings=(), notes=(note,))


def _num_train(kept: dict[str, Any]) -> int | None:
    return int(kept["num_train"]) if kept.get("data_known", True) else None


def _run_around(path: Path) -> Path:
    """The run itself, its folder of checkpoints or one of these given."""
    return next(
        (p.parent for p in (path, path.parent) if p.name == RunFolder(p.parent).checkpoints.name), path
    )


def _saved(run: RunFolder) -> tuple[ModelCard | None, dict[str, str]]:
    """What the best weights say of themselves, and the dtypes that they really have."""
    if run.best.exists():
        return read_card(run.best), dtypes_in(run.best)
    so_far = best_model(run.checkpoints)
    if so_far is None:
        return None, {}
    state, card = so_far
    return card, {name: str(tensor.dtype).removeprefix("torch.") for name, tensor in state.items()}


def _with_dtypes(facts: FreezeFacts, dtypes: dict[str, str]) -> FreezeFacts:
    parameters = tuple(replace(p, dtype=dtypes.get(p.name, p.dtype)) for p in facts.parameters)
    return replace(facts, parameters=parameters)


def _differs(run: RunFolder, plan: TrainingPlan, kept: dict[str, Any]) -> tuple[Finding, ...]:
    if plan.fingerprint() == kept.get("fingerprint"):
        return ()
    now, kept = plan.to_dict(), {"checkpoint_rule": "best", **ALWAYS_BEFORE, **kept}
    changed = [key for key in now if key not in ADVICE and now[key] != kept.get(key)]
    return (
        Finding(
            "warning",
            str(run.plan),
            f"what is shown is not quite what the run performed: another {', '.join(changed)}",
            "look with the versions and the machine that environment.json names",
            "plan-differs",
        ),
    )


def _outcome(run: RunFolder) -> tuple[Finding, ...]:
    """What moved though it was frozen, if anything did."""
    summary = _read(run.summary) if run.summary.exists() else {}
    changed = summary.get("frozen", {}).get("names", ())
    if not changed:
        return ()
    what = f"{len(changed)} frozen {'tensor' if len(changed) == 1 else 'tensors'} moved during the run"
    return (Finding("error", ", ".join(changed[:5]), what, "do not trust this model", "frozen-tensor-moved"),)


def _notes(run: RunFolder) -> tuple[str, ...]:
    if run.summary.exists():
        summary = _read(run.summary)
        proof = summary["frozen"]
        return (
            f"finished: {summary['epochs_run']} epochs, kept {summary['best_epoch']} "
            f"in phase {summary['best_phase']}",
            f"proof: {proof['changed']} of {proof['checked']} frozen tensors changed",
        )
    rows = run.metrics.read_text(encoding="utf-8").splitlines() if run.metrics.exists() else []
    if not rows:
        return ("not finished: no epoch yet",)
    last = json.loads(rows[-1])
    return (f"not finished: {len(rows)} epochs so far, the last in phase {last['phase']}",)


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return content
    except (OSError, ValueError) as error:
        raise MachineError(f"cannot be read: {error}", where=str(path), remedy="restore the file") from error
