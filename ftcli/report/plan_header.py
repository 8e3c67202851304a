"""The few lines above a plan's table: what is trained, on what, how long, with which optimizer, and where."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from ftcli.plans.inputs import Inputs, is_packed
from ftcli.plans.lr_curve import LrCurve
from ftcli.plans.tokenization import Tokenization
from ftcli.plans.training_plan import ObjectiveSpec, OptimizerSpec, TrainingPlan
from ftcli.report import numbers
from ftcli.report.layout import heading, labelled
from ftcli.report.safe_text import listed, plain

_CLASSES_WIDTH = 30


def plan_header(plan: TrainingPlan) -> RenderableType:
    lines = {
        "backbone": _backbone(plan),
        "strategy": _strategy(plan),
        "data": _data(plan),
        "augment": _augment(plan),
        "batch": _batch(plan),
        "optimizer": _optimizer(plan.optimizer, plan.clip_norm, plan.label_smoothing),
        **_objective(plan),
        "schedule": _schedules(plan),
        "epoch kept": _selection(plan),
        "device": f"{plan.machine.device}, {plan.precision}, seed {plan.seed}",
    }
    told = labelled((label, plain(text)) for label, text in lines.items())
    return Group(heading("Training plan"), told, Text(""))


def _backbone(plan: TrainingPlan) -> str:
    weights = "pretrained" if plan.pretrained else "random weights"
    return f"{plan.layer_map.backbone}, {weights}, {_inputs(plan.preprocessing)}"


def _inputs(inputs: Inputs) -> str:
    if isinstance(inputs, Tokenization) and inputs.packed:
        return f"sequences of {inputs.max_length} tokens"
    if isinstance(inputs, Tokenization):
        return f"texts of up to {inputs.max_length} tokens"
    size = inputs.image_size
    fit = {"crop": "", "squash": ", squashed", "pad": ", padded"}[inputs.fit]
    return f"images of {size}x{size} pixels{fit}"


def _strategy(plan: TrainingPlan) -> str:
    phases, epochs = _plural(len(plan.phases), "phase"), _plural(plan.epochs, "epoch")
    return f"{plan.strategy}, {phases}, {epochs} (counted from 0)"


def _data(plan: TrainingPlan) -> str:
    if is_packed(plan.preprocessing):
        sequences = f"{plan.num_train:,} training sequences"
        return sequences if plan.data_known else f"not at hand; {sequences} assumed"
    named = listed(plan.classes, _CLASSES_WIDTH)
    counts = f"{plan.num_train:,} training examples, {len(plan.classes)} classes"
    return f"{counts}: {named}" if plan.data_known else f"not at hand; {counts} assumed"


def _augment(plan: TrainingPlan) -> str:
    """The transforms by name; the flip is named where it is left out, since it is what goes wrong."""
    kind = plan.augment["kind"]
    no_flip = "" if plan.augment.get("flip", True) else ", no flip"
    return kind if kind == "none" else f"{kind}{no_flip}: {', '.join(plan.transforms)}"


def _batch(plan: TrainingPlan) -> str:
    effective = plan.batch_size * plan.accumulation
    size = f"{effective}"
    if plan.accumulation > 1:
        size = f"{plan.batch_size} x {plan.accumulation} accumulated = {effective}"
    steps = plan.steps_per_epoch
    return f"{size}, {_plural(steps, 'step')} an epoch, {steps * plan.epochs:,} in all"


def _optimizer(spec: OptimizerSpec, clip_norm: float | None, smoothing: float) -> str:
    parts = [
        spec.kind,
        f"LR {numbers.rate(spec.lr)}",
        f"weight decay {numbers.rate(spec.weight_decay)} (none on biases and norms)",
    ]
    if clip_norm is not None:
        parts.append(f"gradient norm at most {clip_norm:g}")
    if smoothing:
        parts.append(f"label smoothing {smoothing:g}")
    return ", ".join(parts)


def _objective(plan: TrainingPlan) -> dict[str, str]:
    """Lines for what is not as usual: an objective that weighs, a sampler that draws."""
    lines, objective = {}, plan.objective
    if objective.multi_label or objective.kind != "cross_entropy" or objective.weighting != "none":
        settings = [f"{name} {value:g}" for name, value in objective.settings.items()]
        name = objective.kind.replace("_", "-")
        named = (
            f"{name} of each class (sigmoid): an example may have several" if objective.multi_label else name
        )
        lines["objective"] = ", ".join([named, *settings, *_weights(objective)])
    if plan.sampler != "shuffle":
        by = {"balanced": "each class equally often", "weighted": "by the examples' weights"}[plan.sampler]
        lines["sampler"] = f"{plan.sampler}: {plan.num_train:,} examples an epoch, drawn {by}"
    return lines


def _weights(objective: ObjectiveSpec) -> list[str]:
    if objective.weighting == "none":
        return []
    if objective.class_weights is None:
        return ["balanced class weights, once the data is known"]
    low, high = min(objective.class_weights), max(objective.class_weights)
    weights = f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
    return [f"{'balanced ' if objective.weighting == 'balanced' else ''}class weights {weights}"]


def _schedules(plan: TrainingPlan) -> str:
    """Each curve once, in the order in which they run."""
    curves = dict.fromkeys((phase.curve_start, phase.curve) for phase in plan.phases)
    return "; then ".join(_curve(curve) for _, curve in curves)


def _curve(curve: LrCurve) -> str:
    warmup = f", {curve.warmup:g} of them warm-up" if curve.warmup else ""
    pace = ", moved once an epoch" if curve.per_epoch else ""
    return f"{curve.shape} over {_plural(curve.epochs, 'epoch')}{warmup}{pace}"


def _selection(plan: TrainingPlan) -> str:
    best = f"the best validation {plan.checkpoint_metric}"
    if plan.checkpoint_rule == "last":
        best = f"the last, or {best}"
    if plan.early_stopping is None:
        return best
    return f"{best}; a phase stops after {_plural(plan.early_stopping.patience, 'epoch')} without improvement"


def _plural(number: float, noun: str) -> str:
    written = f"{number:,}" if isinstance(number, int) else f"{number:g}"
    return f"{written} {noun}" if number == 1 else f"{written} {noun}s"
