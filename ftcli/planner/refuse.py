"""What is wrong in a recipe, and only its network, its data or the machine can show."""

from __future__ import annotations

from typing import Any

from ftcli.errors import MachineError, Problem, RecipeError
from ftcli.plans.data_facts import DataFacts
from ftcli.plans.phase import Phase
from ftcli.plans.training_plan import TrainingPlan
from ftcli.recipe.schema import Recipe


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


def check_batch(plan: TrainingPlan) -> None:
    updating = any(bn.updates_stats for phase in plan.phases for bn in phase.batch_norms)
    if plan.batch_size == 1 and updating:
        raise RecipeError(
            Problem(
                "train.batch_size",
                "BatchNorm in train mode cannot take the variance of a batch of one",
                "give at least 2 (better 16), or set norm: freeze_stats",
            )
        )


def check_features(augment: Any, phases: tuple[Phase, ...]) -> None:
    """Features are augmented where they are kept: nowhere, that would be a recipe which does not do what it says."""
    if augment.kind == "features" and not any(phase.prefix.kept for phase in phases):
        what = f"features are augmented where a frozen part is kept: nowhere, {phases[0].prefix.reason}"
        remedy = "use a strategy that freezes: feature_extraction, lp_ft, partial; or augment: light"
        raise RecipeError(Problem("augment", what, remedy))


def check_data(recipe: Recipe, facts: DataFacts) -> None:
    """Raises RecipeError for weights and metrics that do not go with the data, where those are at hand."""
    _check_class_weights(recipe, facts)
    _check_metric(recipe, facts)


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
