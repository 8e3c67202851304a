"""Recipe + LayerMap + what is known of data and machine -> TrainingPlan. Pure: the same inputs, the same plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ftcli.components import augment as augmentation
from ftcli.components import norm, objective, optimizer
from ftcli.errors import MachineError, Problem, RecipeError
from ftcli.planner.choose import (
    choose_augment,
    choose_checkpoint_metric,
    choose_depthwise,
    choose_deterministic,
    choose_fold_bn,
    choose_layer_lr,
    choose_precision,
)
from ftcli.planner.notice import findings_of
from ftcli.planner.peft_choice import choose_targets
from ftcli.planner.phases import compile_phases
from ftcli.planner.prefix import Images
from ftcli.plans.depthwise import wide_depthwise
from ftcli.plans.folding import frozen_below
from ftcli.plans.inputs import Inputs
from ftcli.plans.layer_map import LayerMap
from ftcli.plans.norm_policy import POLICIES, NormPolicy
from ftcli.plans.phase import Phase, Plateau
from ftcli.plans.prefix import PrefixCost
from ftcli.plans.preprocessing import Preprocessing
from ftcli.plans.training_plan import (
    Bf16Effect,
    Decision,
    Floor,
    Machine,
    ObjectiveSpec,
    Precision,
    TrainingPlan,
)
from ftcli.recipe.schema import Recipe
from ftcli.registry import implementation, offers


@dataclass(frozen=True)
class DataFacts:
    """What a plan needs to know of the data. `num_train` is None where the data is not at hand."""

    classes: tuple[str, ...]
    num_train: int | None
    preprocessing: Inputs
    class_counts: tuple[int, ...] | None = None
    """Training examples of each class, in the order of `classes`; None where they are not known."""
    multi_label: bool = False
    prefix_costs: Mapping[int, PrefixCost] = field(default_factory=dict)
    """By the first layer above it, what a part of the network costs and gives; empty where it was not measured."""
    tokens: float | None = None
    """Of a text in the mean, where texts were read."""


ASSUMED_NUM_TRAIN = 1000
"""For plans without data (a backbone is inspected by name): steps are counted as if there were so many."""


def compile_plan(
    recipe: Recipe,
    layer_map: LayerMap,
    facts: DataFacts,
    machine: Machine,
    evidence: Bf16Effect | Precision | None = None,
) -> TrainingPlan:
    """Everything the run will do. Raises RecipeError for what only the network can show to be wrong.

    `evidence`: what `precision: auto` goes by, see choose_precision.
    """
    policy = _norm_policy(recipe, facts)
    augment = choose_augment(recipe)
    layer_lr = choose_layer_lr(recipe)
    precision = choose_precision(recipe, machine, evidence)
    metric = choose_checkpoint_metric(recipe, facts.class_counts, multi_label=facts.multi_label)
    _check_class_weights(recipe, facts)
    _check_metric(recipe, facts)
    stretches = implementation(recipe.strategy, "phases")(recipe.strategy, layer_map, recipe.train.epochs)
    base = optimizer.spec(recipe.optimizer)
    scales = implementation(layer_lr.value, "scales")(layer_lr.value, layer_map, base.lr)
    phases = compile_phases(
        recipe,
        layer_map,
        stretches,
        scales,
        policy,
        images=_images(augment.value),
        costs=facts.prefix_costs,
    )
    _check_features(augment.value, phases)
    depthwise = choose_depthwise(recipe, machine, wide_depthwise(layer_map, phases))
    deterministic = choose_deterministic(recipe, machine)
    frozen = frozen_below(layer_map, phases, probed=_floor(recipe) == "probe")
    fold_bn = choose_fold_bn(recipe, machine, precision.value, frozen)
    targets = choose_targets(recipe, layer_map)
    choices = (targets, layer_lr, augment, precision, metric, depthwise, fold_bn, deterministic)
    plan = TrainingPlan(
        layer_map=layer_map,
        classes=facts.classes,
        num_train=facts.num_train or ASSUMED_NUM_TRAIN,
        data_known=facts.num_train is not None,
        tokens=facts.tokens,
        preprocessing=facts.preprocessing,
        pretrained=recipe.pretrained,
        strategy=recipe.strategy.kind,
        phases=phases,
        epochs=recipe.train.epochs,
        batch_size=recipe.train.batch_size,
        accumulation=recipe.train.accumulation,
        optimizer=base,
        schedule=recipe.schedule.kind,
        norm=policy,
        augment=augment.value.model_dump(),
        label_smoothing=recipe.train.label_smoothing,
        clip_norm=recipe.train.clip_norm,
        precision=precision.value,
        machine=machine,
        checkpoint_metric=metric.value,
        early_stopping=_early_stopping(recipe),
        floor=_floor(recipe),
        seed=recipe.seed,
        decisions=(
            *([Decision("norm", policy.kind, policy.reason)] if layer_map.batch_norms else []),
            *(choice.decision for choice in choices if choice.decision),
        ),
        class_counts=facts.class_counts,
        transforms=_transforms(augment.value, facts.preprocessing),
        objective=_objective(recipe, facts),
        sampler=recipe.train.sampler,
        depthwise=depthwise.value,
        deterministic=deterministic.value,
        fold_bn=fold_bn.value,
        on_non_finite=recipe.train.on_non_finite,
    )
    _check_batch(plan)
    return plan.with_findings(findings_of(recipe, plan))


def check_device(recipe: Recipe, cuda_available: bool) -> None:
    """Raises MachineError when the recipe asks for a GPU that is not there, RecipeError for fp16 without one."""
    if recipe.runtime.device == "cuda" and not cuda_available:
        raise MachineError(
            "the recipe asks for CUDA and this machine has no usable CUDA device",
            where="runtime.device",
            remedy="set runtime.device: auto (or cpu), or install a driver and a CUDA build of torch",
        )
    on_cuda = cuda_available and recipe.runtime.device != "cpu"
    if recipe.train.precision == "fp16" and not on_cuda:
        raise RecipeError(
            Problem(
                "train.precision", "fp16 needs CUDA: its loss scaling has no CPU kernels", "use bf16 or fp32"
            )
        )


def _check_batch(plan: TrainingPlan) -> None:
    updating = any(bn.updates_stats for phase in plan.phases for bn in phase.batch_norms)
    if plan.batch_size == 1 and updating:
        raise RecipeError(
            Problem(
                "train.batch_size",
                "BatchNorm in train mode cannot take the variance of a batch of one",
                "give at least 2 (better 16), or set norm: freeze_stats",
            )
        )


def _check_features(augment: Any, phases: tuple[Phase, ...]) -> None:
    """Features are augmented where they are kept: nowhere, that would be a recipe which does not do what it says."""
    if augment.kind == "features" and not any(phase.prefix.kept for phase in phases):
        what = f"features are augmented where a frozen part is kept: nowhere, {phases[0].prefix.reason}"
        remedy = "use a strategy that freezes: feature_extraction, lp_ft, partial; or augment: light"
        raise RecipeError(Problem("augment", what, remedy))


def _check_class_weights(recipe: Recipe, facts: DataFacts) -> None:
    """A weight for a class that the data does not have is a mistake, where the data is at hand."""
    given = recipe.objective.class_weights
    if isinstance(given, str) or facts.num_train is None:
        return
    unknown = [name for name in given if name not in facts.classes]
    if unknown:
        where = f"objective.class_weights.{unknown[0]}"
        shown = ", ".join(facts.classes[:10])
        raise RecipeError(Problem(where, f"there is no class {unknown[0]!r}", f"the classes are {shown}"))
    if not any(given.get(name, 1.0) for name in facts.classes):
        raise RecipeError(
            Problem("objective.class_weights", "every class weighs 0", "give one of them a weight")
        )


def _check_metric(recipe: Recipe, facts: DataFacts) -> None:
    """A metric of the other kind of data would say nothing, where the data is at hand."""
    metric = recipe.train.checkpoint_metric
    if facts.num_train is None:
        return
    if metric == "mean_average_precision" and not facts.multi_label:
        what, remedy = (
            "mean average precision is for multi-label data",
            "use accuracy or macro_f1, or leave it out",
        )
        raise RecipeError(Problem("train.checkpoint_metric", what, remedy))
    if metric == "balanced_accuracy" and facts.multi_label:
        what, remedy = "multi-label data have no balanced accuracy", "use macro_f1, or leave it out"
        raise RecipeError(Problem("train.checkpoint_metric", what, remedy))


def _transforms(augment: Any, inputs: Inputs) -> tuple[str, ...]:
    return augmentation.described(augment, inputs) if isinstance(inputs, Preprocessing) else ()


def _images(augment: Any) -> Images:
    if augmentation.shows_the_same(augment):
        return "same"
    if augment.kind == "flip":
        return "mirrored"
    return "mixed" if augmentation.mixes(augment) else "augmented"


def _norm_policy(recipe: Recipe, facts: DataFacts) -> NormPolicy:
    if recipe.norm.kind == "auto" and offers(recipe.strategy, "adapters"):
        return replace(POLICIES["freeze"], reason="adapters leave the layers beside them as they are")
    size = recipe.train.batch_size
    return norm.policy(recipe.norm, num_train=facts.num_train, batch_size=size, pretrained=recipe.pretrained)


def _early_stopping(recipe: Recipe) -> Plateau | None:
    asked = recipe.train.early_stopping
    return Plateau(asked.patience, asked.min_delta) if asked else None


def _objective(recipe: Recipe, facts: DataFacts) -> ObjectiveSpec:
    if recipe.learns_tokens:
        return ObjectiveSpec(objective.NEXT_TOKEN)
    return objective.spec(
        recipe.objective, facts.classes, facts.class_counts, facts.num_train, multi_label=facts.multi_label
    )


def _floor(recipe: Recipe) -> Floor:
    """Where the linear probe of this run is measured."""
    if recipe.learns_tokens:
        return "before"
    if not recipe.pretrained:
        return "none"
    return "itself" if recipe.strategy.kind == "feature_extraction" else "probe"
