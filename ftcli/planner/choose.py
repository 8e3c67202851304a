"""What a recipe left open, decided: each choice with the reason that the plan shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftcli.plans.training_plan import Decision, Machine
from ftcli.recipe.schema import Recipe
from ftcli.registry import kinds


@dataclass(frozen=True)
class Chosen:
    """`decision` is None when the recipe said so itself."""

    value: Any
    decision: Decision | None


def choose_layer_lr(recipe: Recipe) -> Chosen:
    """Options of the section layer_lr."""
    if recipe.layer_lr is not None:
        return Chosen(recipe.layer_lr, None)
    choices = kinds("layer_lr")
    if not recipe.pretrained:
        why = "nothing pretrained to protect"
    elif recipe.strategy.kind == "feature_extraction":
        why = "only the head trains"
    else:
        value = choices["discriminative"](kind="discriminative")
        why = "pretrained layers train at a tenth of the head's LR"
        return Chosen(value, Decision("layer_lr", "discriminative", why))
    return Chosen(choices["uniform"](kind="uniform"), Decision("layer_lr", "uniform", why))


def choose_augment(recipe: Recipe) -> Chosen:
    """Options of the section augment."""
    if recipe.augment is not None:
        return Chosen(recipe.augment, None)
    choices = kinds("augment")
    if recipe.strategy.kind == "feature_extraction":
        why = "a frozen backbone then sees each image once"
        return Chosen(choices["none"](kind="none"), Decision("augment", "none", why))
    why = "crops and mirror images; set augment where left and right differ"
    return Chosen(choices["light"](kind="light"), Decision("augment", "light", why))


IMBALANCE = 3
"""Classes are out of balance when the largest has more than so many times the examples of the smallest."""


def imbalance(counts: tuple[int, ...] | None) -> str | None:
    """The counts in words where the classes are out of balance."""
    if not counts or max(counts) <= IMBALANCE * min(counts):
        return None
    return f"the largest class has {max(counts):,} training examples, the smallest {min(counts):,}"


def choose_checkpoint_metric(
    recipe: Recipe, counts: tuple[int, ...] | None, *, multi_label: bool = False
) -> Chosen:
    """A field of Scores. Without the counts of the classes there is nothing to tell."""
    asked = recipe.train.checkpoint_metric
    if asked != "auto":
        return Chosen(asked, None)
    if multi_label:
        why = "an image may have several classes: each is ranked by itself, without a threshold"
        return Chosen("mean_average_precision", Decision("checkpoint_metric", "mean_average_precision", why))
    uneven = imbalance(counts)
    if uneven:
        why = f"{uneven}, more than {IMBALANCE} times fewer: every class counts alike"
        return Chosen("macro_f1", Decision("checkpoint_metric", "macro_f1", why))
    if not counts:
        return Chosen("accuracy", None)
    low, high = min(counts), max(counts)
    sizes = f"{low:,} to {high:,}" if low < high else f"{low:,}"
    why = f"classes of {sizes} training examples are {'near enough to' if low < high else 'in'} balance"
    return Chosen("accuracy", Decision("checkpoint_metric", "accuracy", why))


def choose_precision(recipe: Recipe, machine: Machine) -> Chosen:
    """fp32, bf16 or fp16."""
    if recipe.train.precision != "auto":
        return Chosen(recipe.train.precision, None)
    if machine.device == "cuda" and machine.bf16:
        return Chosen("bf16", Decision("precision", "bf16", "this GPU computes in bf16"))
    where = "this GPU has no bf16" if machine.device == "cuda" else "exact on the CPU"
    return Chosen("fp32", Decision("precision", "fp32", where))
