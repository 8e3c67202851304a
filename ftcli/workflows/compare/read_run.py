"""What a run folder says of a run that is complete: its scores and what they cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from typing import Any

from ftcli.engine.progress import compared_by
from ftcli.engine.run_folder import RunFolder
from ftcli.errors import FrozenTensorChanged, MachineError
from ftcli.plans.layer_map import HEAD
from ftcli.plans.study import Outcome
from ftcli.workflows.compare.training_work import TrainingWork
from ftcli.workflows.resume import saved_result


def outcome_of(run: RunFolder, variant: str, work: TrainingWork) -> Outcome:
    """Raises MachineError where the run is not complete, or its summary or plan cannot be read;

    FrozenTensorChanged where its proof failed.
    """
    if not run.summary.is_file():
        remedy = f"go on with it: ftcli resume {run.path}"
        raise MachineError("the run is not complete", where=str(run.path), remedy=remedy)
    result = saved_result(run)
    if result.frozen.changed:
        what = f"{result.frozen.changed} frozen tensors moved during the run"
        raise FrozenTensorChanged(what, where=str(run.path), remedy="do not trust this model; leave it out")
    try:
        plan = json.loads(run.plan.read_text(encoding="utf-8"))
        trainable, parameters = _counts(plan)
        epochs = [json.loads(line) for line in run.metrics.read_text(encoding="utf-8").splitlines()]
        phases = [epoch["phase"] for epoch in epochs]
        return Outcome(
            run=str(run.path),
            variant=variant,
            seed=plan["seed"],
            num_train=plan["num_train"],
            pretrained=plan["pretrained"],
            trains_backbone=any(g["stage"] != HEAD for phase in plan["phases"] for g in phase["groups"]),
            metric="perplexity" if result.test.perplexity else compared_by(plan["checkpoint_metric"]),
            test=result.test.to_dict(),
            val=None if result.val is None else result.val.to_dict(),
            trainable=trainable,
            parameters=parameters,
            epochs=result.epochs_run,
            images_seen=result.epochs_run * plan["num_train"],
            tokens_seen=_tokens(plan, result.epochs_run),
            training_flops=work.flops(run, plan, phases, {finding.rule for finding in result.findings}),
            seconds=sum(epoch["seconds"] for epoch in epochs),
            peak_memory=result.peak_memory,
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        what = f"the run's plan cannot be read: {error}"
        raise MachineError(what, where=str(run.plan), remedy="leave this run out") from error


def _tokens(plan: Mapping[str, Any], epochs: int) -> int | None:
    """Of the texts or sequences seen in training; None of images."""
    each = plan.get("tokens")
    return None if each is None else round(epochs * plan["num_train"] * each)


def _counts(plan: Mapping[str, Any]) -> tuple[int, int]:
    """Parameters that train in the phase where most do, and all."""
    sizes = {p["name"]: prod(p["shape"]) for p in plan["layer_map"]["parameters"]}
    return (
        max(sum(sizes[name] for name in phase["mask"]["trainable"]) for phase in plan["phases"]),
        sum(sizes.values()),
    )
