"""What is known when a loss, a gradient, a weight or a buffer is no number: where, which files, LRs and norms."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ftcli.engine.batches import Batch
from ftcli.engine.finite import first_non_finite
from ftcli.engine.work import Work
from ftcli.errors import NonFiniteError
from ftcli.plans.data_splits import DataSplits
from ftcli.plans.phase import Phase

SHOWN_FILES = 3


@dataclass
class Place:
    """The step (from 0) of the epoch, and its batches; none where what was found may be older."""

    step: int = 0
    batches: Sequence[Batch] = field(default_factory=list)


@contextmanager
def diagnosing(work: Work, phase: Phase, optimizer: Optimizer, epoch: int) -> Iterator[Place]:
    """A NonFiniteError from inside says where it came up and what to do; `diagnosis` holds all that is known."""
    place = Place()
    try:
        yield place
    except NonFiniteError as error:
        first = _first(work.network.model, error)
        found = {
            "what": error.what,
            "first": first,
            "phase": phase.name,
            "epoch": epoch,
            "step": place.step + 1,
            "steps_per_epoch": work.plan.steps_per_epoch,
            "precision": work.plan.precision,
            "files": _files(work.batches.store.splits, place.batches),
            "groups": _groups(phase, optimizer),
        }
        raise _told(error, found, work) from error


def _first(model: nn.Module, error: NonFiniteError) -> dict[str, str | None]:
    """What was no number before the rest: weights make losses, losses make gradients.

    A gradient goes from the output down: the highest layer's was first.
    """
    parameters = dict(model.named_parameters())
    gradients = {n: p.grad for n, p in reversed(parameters.items()) if p.grad is not None}
    kinds = (("weight", parameters), ("buffer", dict(model.named_buffers())))
    for kind, tensors in kinds:
        name = first_non_finite(tensors)
        if name is not None:
            return {"kind": kind, "name": name}
    if error.what.startswith("the loss"):
        return {"kind": "loss", "name": None}
    return {"kind": "gradient", "name": first_non_finite(gradients)}


def _files(splits: DataSplits, batches: Sequence[Batch]) -> list[str]:
    """Names of the images, or what the data calls its examples where they have no files."""
    indices = [index for batch in batches for index in batch.indices]
    if splits.files is not None:
        return [str(splits.files[index]) for index in indices]
    return [splits.examples[index].key for index in indices]


def _groups(phase: Phase, optimizer: Optimizer) -> list[dict[str, Any]]:
    """From the input to the output. Gradients are those before clipping."""
    return [
        {
            "stage": planned.stage,
            "lr": group["lr"],
            "weight_decay": group["weight_decay"],
            "weight_norm": _norm(group["params"]),
            "gradient_norm": _norm([p.grad for p in group["params"] if p.grad is not None]),
        }
        for planned, group in zip(phase.groups, optimizer.param_groups, strict=True)
    ]


@torch.no_grad()
def _norm(tensors: Sequence[Tensor]) -> float | str:
    """As JSON can hold it: NaN and infinity by name."""
    norm = float(nn.utils.get_total_norm(tensors)) if tensors else 0.0
    return norm if math.isfinite(norm) else str(norm)


def _told(error: NonFiniteError, found: dict[str, Any], work: Work) -> NonFiniteError:
    first, files = found["first"], found["files"]
    made_of = f": the {first['kind']} {first['name']} is not finite" if first["name"] else ""
    what = f"{error.what} in phase {found['phase']}, epoch {found['epoch']}, step {found['step']}{made_of}"
    more = f" and {len(files) - SHOWN_FILES} more" if len(files) > SHOWN_FILES else ""
    where = f"{', '.join(files[:SHOWN_FILES])}{more}" if files else None
    told = NonFiniteError(what, where=where, remedy=_remedy(work, first["name"], bool(files)))
    told.diagnosis = {**found, "remedy": told.remedy}
    return told


def _remedy(work: Work, name: str | None, has_files: bool) -> str:
    layer_map = work.network.layer_map
    stage = next((p.stage for p in layer_map.parameters if p.name == name), None)
    lower = "lower optimizer.lr" + (f" (or the LR of stage {stage}: layer_lr)" if stage else "")
    steps = [f"{lower} to a tenth, {work.plan.optimizer.lr / 10:g}, or lengthen schedule.warmup"]
    if has_files:
        steps.append("look at these examples")
    if work.plan.precision != "fp32":
        steps.append("train.precision: fp32")
    if work.plan.on_non_finite == "stop":
        steps.append("or train.on_non_finite: rollback")
    return f"{'; '.join(steps)}; diagnosis.json has norms and LRs"
