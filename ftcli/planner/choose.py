"""What a recipe left open, decided: each choice with the reason that the plan shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftcli.components import augment as augmentation
from ftcli.plans.depthwise import COLUMNS
from ftcli.plans.inputs import Inputs
from ftcli.plans.layer_map import BatchNorm, Parameter
from ftcli.plans.phase import Phase
from ftcli.plans.preprocessing import Preprocessing
from ftcli.plans.training_plan import Bf16Effect, Decision, Machine, Precision
from ftcli.recipe.schema import Recipe
from ftcli.registry import kinds, offers


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
    elif recipe.learns_tokens:
        why = "a language model's head is as pretrained as the rest"
    elif recipe.strategy.kind == "feature_extraction":
        why = "only the head trains"
    elif offers(recipe.strategy, "adapters"):
        why = "adapters are as new as the head"
        return Chosen(choices["uniform"](kind="uniform"), Decision("layer_lr", "uniform", why))
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
    if recipe.takes_texts:
        return Chosen(choices["none"](kind="none"), None)
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
    if recipe.learns_tokens:
        why = "exp of the mean loss of a token: the less the better"
        return Chosen("perplexity", Decision("checkpoint_metric", "perplexity", why))
    if multi_label:
        why = "an example may have several classes: each is ranked by itself, without a threshold"
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


SETTLED = 0.1
"""A share of the peak LR; where a curve ends below it, the last epochs move the weights little."""


def choose_checkpoint_rule(recipe: Recipe, metric: str, last: Phase) -> Chosen:
    """best or last. `last`: the run's last phase."""
    asked = recipe.train.checkpoint_rule
    if asked != "auto":
        return Chosen(asked, None)
    left = last.lr_factor(
        recipe.train.epochs - 1e-6
    )  # an LR that moves once an epoch never gets to the curve's end
    why = ""
    if recipe.train.early_stopping is not None:
        why = "early stopping goes by it"
    elif metric == "loss" or recipe.learns_tokens:
        why = "a score of classes says whether the last epoch is as good"
    elif round(left, 3) > SETTLED:
        why = f"the LR ends at {100 * left:.0f}% of its peak: the last weights are still moving"
    if why:
        return Chosen("best", Decision("checkpoint_rule", "best", why))
    why = "the LR comes down: the last epoch is kept unless it scores two standard errors below the best"
    return Chosen("last", Decision("checkpoint_rule", "last", why))


MOST_BF16_ERROR = 0.01
"""The relative error of the features up to which bf16 is taken. Networks with random weights, and pretrained ones made
of plain convolutions, stay at 0.002 to 0.008; EfficientNet-Lite0 with ImageNet's weights lies at 0.03 to 0.09:
2 to 5% of its predictions change there, more than the choice of a recipe should cost unasked."""


def choose_precision(recipe: Recipe, machine: Machine, evidence: Bf16Effect | Precision | None) -> Chosen:
    """fp32, bf16 or fp16. `evidence`: what bf16 does to the network, or what the run chose when it began."""
    if recipe.train.precision != "auto":
        return Chosen(recipe.train.precision, None)
    if isinstance(evidence, str):
        return _precision(evidence, "as the run chose when it began")
    if recipe.runtime.exact:
        return _precision("fp32", "runtime.exact")
    if not machine.bf16:
        where = "GPU" if machine.device == "cuda" else "CPU"
        return _precision("fp32", f"this {where} has no bf16 of its own")
    if evidence is None:
        return _precision("fp32", f"until the first training {recipe.noun}s have been seen in bf16")
    if not evidence.finite:
        return _precision("fp32", "bf16 turns features into infinity or NaN")
    error, bound = f"{100 * evidence.error:.1f}%", f"bound {100 * MOST_BF16_ERROR:g}%"
    if evidence.error > MOST_BF16_ERROR:
        return _precision("fp32", f"bf16 moves the features by {error} ({bound})")
    images = f"{evidence.num_images} {recipe.noun}{'s' * (evidence.num_images != 1)}"
    return _precision("bf16", f"features within {error} of fp32 on {images} ({bound})")


def _precision(value: Precision, why: str) -> Chosen:
    return Chosen(value, Decision("precision", value, why))


def choose_deterministic(recipe: Recipe, machine: Machine) -> Chosen:
    """Whether a run that is repeated has the same bits; on a CPU there is nothing to decide."""
    if machine.device != "cuda":
        return Chosen(False, None)
    if recipe.runtime.deterministic:
        return Chosen(True, Decision("deterministic", "yes", "kernels that have no such form are told"))
    why = "CUDA's kernels may add in another order each time: runtime.deterministic, which is slower"
    return Chosen(False, Decision("deterministic", "no", why))


def choose_depthwise(recipe: Recipe, machine: Machine, wide: tuple[Parameter, ...]) -> Chosen:
    """whole or in_pieces. `wide`: the depthwise kernels that train and gain by it; none leave nothing to decide."""
    if machine.device != "cpu" or recipe.runtime.depthwise == "off" or not wide:
        return Chosen("whole", None)
    if recipe.runtime.exact:
        return Chosen("whole", Decision("depthwise", "whole", "runtime.exact"))
    sizes = ", ".join(sorted({f"{p.shape[2]}x{p.shape[3]}" for p in wide}))
    why = (
        f"gradients of {sizes} kernels, {COLUMNS} columns at a time where the image is as wide as they are: "
        "faster on a CPU, equal but for rounding"
    )
    return Chosen("in_pieces", Decision("depthwise", "in_pieces", why))


PAYS_FROM = 50_000
"""Image-views that go through a frozen part, from which on it is compiled unasked. On two cores with AVX512-BF16 that
took 9 to 27 s, and spared of an image's time, beside folding, in fp32 (bf16): of ResNet-18 5% (5%), ResNet-50 4% (11%),
EfficientNet-Lite0 23% (14%), EfficientNet-B0 19% (22%), MobileNetV3 17% (27%), ViT-Tiny 2% (8%). It had paid for itself
after 4,000 to 28,000 images (tests/benchmarks/compiled.py); a run of 20,500 with EfficientNet-Lite0 in bf16 was 10 s
longer with it."""


def choose_compile(recipe: Recipe, machine: Machine, views: int, boundaries: frozenset[int]) -> Chosen:
    """eager or compiled. `views`: how often training images go through a part that is kept, at these boundaries; 0
    where it is not known.

    On a GPU nobody has measured it yet: there it has to be asked for.
    """
    asked = recipe.runtime.compile
    if asked == "off" or (asked == "auto" and (machine.device != "cpu" or recipe.takes_texts or not views)):
        return Chosen("eager", None)
    through = f"{views:,} image-views go through the frozen part"
    why = _why_eager(recipe, boundaries)
    if not why and asked == "auto" and views < PAYS_FROM:
        why = f"{through}: it pays from {PAYS_FROM:,} on"
    if why:
        return Chosen("eager", Decision("compile", "eager", why))
    pays = "runtime.compile: on" if asked == "on" else "more than its compiling takes"
    why = f"{through}: {pays}; equal but for rounding"
    return Chosen("compiled", Decision("compile", "compiled", why))


def _why_eager(recipe: Recipe, boundaries: frozenset[int]) -> str:
    """However many images there are; empty where they decide."""
    if recipe.runtime.exact:
        return "runtime.exact"
    if recipe.takes_texts:
        return "texts come in many lengths, each of which would be compiled"
    if not boundaries:
        return "nothing that a frozen part makes is kept"
    if len(boundaries) > 1:
        return "what is kept at several stages is made one from the other, which spares more"
    return ""


def choose_fold_bn(
    recipe: Recipe, machine: Machine, precision: Precision, frozen: tuple[BatchNorm, ...]
) -> Chosen:
    """apart or folded. `frozen`: the batch norms that a phase never changes; none leave nothing to decide.

    Folded in double precision, and rounded once: in bf16 too the features are as near to those of fp32, folded or
    apart (0.0105 and 0.0109 of their norm away for the benchmarks' ResNet-18, 0.071 and 0.065 for EfficientNet-Lite0
    with ImageNet's weights, 0.007 and 0.010 for MobileNetV3 with random ones).
    """
    if machine.device != "cpu" or recipe.runtime.fold_bn == "off" or not frozen:
        return Chosen("apart", None)
    if recipe.runtime.exact:
        return Chosen("apart", Decision("fold_bn", "apart", "runtime.exact"))
    rounding = "rounding" if precision == "fp32" else f"the rounding of {precision}"
    why = (
        f"{len(frozen)} frozen batch norms in the convolutions before them: faster, equal but for {rounding}"
    )
    return Chosen("folded", Decision("fold_bn", "folded", why))


def choose_crops(recipe: Recipe, machine: Machine, augment: Any, inputs: Inputs) -> Chosen:
    """image or batch. Where batch is not asked for, a CPU and other augmentations leave nothing to decide."""
    asked = recipe.runtime.crops
    if asked == "image" or (asked == "auto" and machine.device != "cuda"):
        return Chosen("image", None)
    if not augmentation.only_crops(augment):
        why = f"augment: {augment.kind} is not made of crops and mirror images alone"
        return Chosen("image", Decision("crops", "image", why) if asked == "batch" else None)
    if recipe.runtime.exact:
        return Chosen("image", Decision("crops", "image", "runtime.exact"))
    if isinstance(inputs, Preprocessing) and inputs.interpolation == "nearest":
        return Chosen("image", Decision("crops", "image", "batches have bilinear and bicubic crops alone"))
    if asked == "batch":
        return Chosen("batch", None)
    why = "a batch at once on the GPU, which would wait for the processor otherwise: equal but for rounding"
    return Chosen("batch", Decision("crops", "batch", why))


def choose_cuda_graphs(recipe: Recipe, machine: Machine) -> Chosen:
    """Whether the steps of a head over what is kept are recorded: as the recipe says."""
    asked = recipe.runtime.cuda_graphs
    if not asked or machine.device == "cuda":
        return Chosen(asked, None)
    return Chosen(asked, Decision("cuda_graphs", "none", "there is no GPU to record steps on"))
