"""What in a plan deserves a word before the run starts."""

from __future__ import annotations

from collections.abc import Iterator

from ftcli.findings import Finding
from ftcli.planner.choose import imbalance
from ftcli.planner.verdicts import verdicts_of_phases
from ftcli.plans.freeze_facts import plan_facts
from ftcli.plans.inputs import is_packed
from ftcli.plans.layer_map import HEAD
from ftcli.plans.training_plan import TrainingPlan
from ftcli.recipe.schema import Recipe

ERASING_LR = 1e-2
"""A backbone LR from which pretrained features are gone within an epoch."""


def findings_of(recipe: Recipe, plan: TrainingPlan) -> tuple[Finding, ...]:
    """In the order in which a reader would meet them: norm to features; then the verdicts on every phase."""
    return (
        *_norm(recipe, plan),
        *_rates(plan),
        *_never_trained(plan),
        *_tied(plan),
        *_imbalance(plan),
        *_features(plan),
        *verdicts_of_phases(plan_facts(plan)),
    )


def _norm(recipe: Recipe, plan: TrainingPlan) -> Iterator[Finding]:
    if plan.norm.to_group_norm and plan.pretrained:
        yield Finding(
            "warning",
            "norm.kind",
            "group_norm discards the pretrained BatchNorm statistics",
            "use freeze_stats unless batches are tiny and the data is plenty",
            "statistics-discarded",
        )
    elif recipe.norm.kind != "auto" and not plan.layer_map.batch_norms and not plan.norm.to_group_norm:
        yield Finding(
            "info",
            "norm.kind",
            f"{plan.layer_map.backbone} has no BatchNorm: the policy {plan.norm.kind!r} changes nothing",
            "remove the norm section",
            "no-batchnorm",
        )
    elif recipe.norm.kind not in ("auto", "freeze") and _has_adapters(plan):
        yield Finding(
            "info",
            "norm.kind",
            f"adapters leave BatchNorm as it was pretrained: the policy {plan.norm.kind!r} changes nothing",
            "remove the norm section",
            "norm-without-effect",
        )
    updating = any(bn.updates_stats for phase in plan.phases for bn in phase.batch_norms)
    if updating and plan.batch_size < 8:
        yield Finding(
            "warning",
            "train.batch_size",
            f"BatchNorm statistics are estimated from batches of {plan.batch_size}",
            "set norm: freeze_stats, or a batch_size of 16 or more",
            "batch-too-small-for-bn",
        )


def _rates(plan: TrainingPlan) -> Iterator[Finding]:
    if not plan.pretrained or _has_adapters(plan):
        return
    backbone = [group for phase in plan.phases for group in phase.groups if group.stage != HEAD]
    highest = max((plan.optimizer.lr * group.lr_scale for group in backbone), default=0.0)
    if highest >= ERASING_LR:
        yield Finding(
            "warning",
            "optimizer.lr",
            f"a backbone LR of {highest:g} erases pretrained features within an epoch",
            "lower optimizer.lr, or use layer_lr: {kind: discriminative, backbone_divisor: 100}",
            "backbone-lr-erases",
        )


def _never_trained(plan: TrainingPlan) -> Iterator[Finding]:
    if _has_adapters(plan) or plan.strategy in ("feature_extraction", "partial", "bitfit"):
        return
    trained = {group.stage for phase in plan.phases for group in phase.groups}
    missing = [stage for stage in plan.layer_map.stages if stage not in trained]
    if missing:
        yield Finding(
            "info",
            ", ".join(missing),
            "no phase ever trains these stages",
            "extend the schedule if that is not meant",
            "never-trained",
        )


def _features(plan: TrainingPlan) -> Iterator[Finding]:
    without = [phase.name for phase in plan.phases if not phase.prefix.kept]
    if plan.augment["kind"] == "features" and without:
        yield Finding(
            "info",
            "augment",
            f"features are augmented where a frozen part is kept: in phase {', '.join(without)} nothing is augmented",
            "nothing to do, or use augment: light, which varies the images of all phases",
            "features-not-augmented",
        )


def _tied(plan: TrainingPlan) -> Iterator[Finding]:
    """Of a language model whose projection onto the vocabulary is its embedding: one tensor, at both ends."""
    if is_packed(plan.preprocessing) and all(p.is_norm for p in plan.layer_map.in_stages([HEAD])):
        yield Finding(
            "info",
            HEAD,
            "the projection onto the vocabulary is the embedding (tied): it trains when the stem does, at the stem's "
            "LR, and the head is the last norm alone",
            "nothing to do; strategy: full trains both",
            "tied-embeddings",
        )


def _imbalance(plan: TrainingPlan) -> Iterator[Finding]:
    if plan.objective.weighting == "balanced" and plan.sampler == "balanced":
        yield Finding(
            "warning",
            "objective.class_weights",
            "classes are balanced twice: by their weights and by the sampler; rare ones then count far too much",
            "leave out one of them",
            "balanced-twice",
        )
    done = plan.objective.weighting != "none" or plan.objective.kind == "focal" or plan.sampler != "shuffle"
    uneven = imbalance(plan.class_counts)
    if uneven and not done:
        yield Finding(
            "info",
            "data",
            f"{uneven}, and nothing makes up for it",
            "set objective: {kind: cross_entropy, class_weights: balanced} or {kind: focal}, "
            "or train: {sampler: balanced}",
            "class-imbalance",
        )


def _has_adapters(plan: TrainingPlan) -> bool:
    """What is pretrained then stays as it is."""
    return any(parameter.is_adapter for parameter in plan.layer_map.parameters)
