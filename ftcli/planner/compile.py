"""Recipe + LayerMap + what is known of data and machine -> TrainingPlan. Pure: the same inputs, the same plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ftcli.components import augment as augmentation
from ftcli.components import norm, objective, optimizer
from ftcli.planner.choose import (
    Chosen,
    choose_augment,
    choose_checkpoint_metric,
    choose_checkpoint_rule,
    choose_compile,
    choose_crops,
    choose_cuda_graphs,
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
from ftcli.planner.refuse import check_batch, check_data, check_features
from ftcli.plans.compiling import image_views, kept_at
from ftcli.plans.data_facts import DataFacts
from ftcli.plans.depthwise import wide_depthwise
from ftcli.plans.folding import frozen_below
from ftcli.plans.inputs import Inputs
from ftcli.plans.layer_map import LayerMap
from ftcli.plans.norm_policy import POLICIES, NormPolicy
from ftcli.plans.phase import Phase, Plateau
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
    check_data(recipe, facts)
    policy = _norm_policy(recipe, facts)
    augment, layer_lr = choose_augment(recipe), choose_layer_lr(recipe)
    phases = _phases(recipe, layer_map, facts, policy, layer_lr.value, augment.value)
    check_features(augment.value, phases)
    precision = choose_precision(recipe, machine, evidence)
    metric = choose_checkpoint_metric(recipe, facts.class_counts, multi_label=facts.multi_label)
    kept = choose_checkpoint_rule(recipe, metric.value, phases[-1])
    targets = choose_targets(recipe, layer_map)
    faster = _faster(recipe, layer_map, facts, machine, phases, precision.value, augment.value)
    choices = (targets, layer_lr, augment, precision, metric, kept, *faster.values())
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
        optimizer=optimizer.spec(recipe.optimizer),
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
        **{field: chosen.value for field, chosen in faster.items()},
        on_non_finite=recipe.train.on_non_finite,
        checkpoint_rule=kept.value,
    )
    check_batch(plan)
    return plan.with_findings(findings_of(recipe, plan))


def _phases(
    recipe: Recipe, layer_map: LayerMap, facts: DataFacts, policy: NormPolicy, layer_lr: Any, augment: Any
) -> tuple[Phase, ...]:
    stretches = implementation(recipe.strategy, "phases")(recipe.strategy, layer_map, recipe.train.epochs)
    scales = implementation(layer_lr, "scales")(layer_lr, layer_map, optimizer.spec(recipe.optimizer).lr)
    images, costs = _images(augment), facts.prefix_costs
    return compile_phases(recipe, layer_map, stretches, scales, policy, images=images, costs=costs)


def _faster(
    recipe: Recipe,
    layer_map: LayerMap,
    facts: DataFacts,
    machine: Machine,
    phases: tuple[Phase, ...],
    precision: Precision,
    augment: Any,
) -> dict[str, Chosen]:
    """What may be computed otherwise than the network and torchvision do it, by field of the plan."""
    probed = _floor(recipe) == "probe"
    frozen = frozen_below(layer_map, phases, probed=probed)
    keeps = probed and recipe.cache.prefix != "off"
    views = image_views(phases, facts.num_train or 0, probed=keeps)
    boundaries = kept_at(phases, layer_map, probed=keeps)
    return {
        "depthwise": choose_depthwise(recipe, machine, wide_depthwise(layer_map, phases)),
        "fold_bn": choose_fold_bn(recipe, machine, precision, frozen),
        "compile": choose_compile(recipe, machine, views, boundaries),
        "crops": choose_crops(recipe, machine, augment, facts.preprocessing),
        "deterministic": choose_deterministic(recipe, machine),
        "cuda_graphs": choose_cuda_graphs(recipe, machine),
    }


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
