"""What training makes small: cross-entropy or focal loss, weighted or not, of one class or of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

from pydantic import Field

from ftcli.plans.training_plan import ObjectiveSpec
from ftcli.registry import Choice

if TYPE_CHECKING:
    from torch import Tensor

NEXT_TOKEN = "next_token"
"""What a language model learns, whatever the section says: no kind to choose."""
Weight = Annotated[float, Field(ge=0)]
ClassWeights = Literal["none", "balanced"] | dict[str, Weight]


class CrossEntropy(Choice):
    """Cross-entropy; on multi-label data that of each class by itself (sigmoid), their mean."""

    kind: Literal["cross_entropy"] = "cross_entropy"
    class_weights: ClassWeights = "none"
    """balanced: N / (classes * examples of the class), so that every class weighs the same in all; on multi-label data
    (examples without it) / (examples with it). Or {class: weight}; a class that is not named weighs 1. The mean is by
    weight, of each step as in torch: where steps are small a rare class counts for less than its weight says."""


class Focal(Choice):
    """Focal loss (Lin et al. 2017): an example counts less the surer the network already is of its class.

    On multi-label data each class by itself, as in the paper.
    """

    kind: Literal["focal"]
    gamma: float = Field(default=2.0, ge=0, le=10)
    """How much less: the cross-entropy times (1 - probability) to this power; 0 is cross-entropy."""
    class_weights: ClassWeights = "none"
    """balanced: N / (classes * examples of the class), so that every class weighs the same in all; on multi-label data
    (examples without it) / (examples with it). Or {class: weight}; a class that is not named weighs 1. The mean is by
    weight, of each step as in torch: where steps are small a rare class counts for less than its weight says."""


def spec(
    options: CrossEntropy | Focal,
    classes: Sequence[str],
    counts: Sequence[int] | None,
    num_examples: int | None = None,
    *,
    multi_label: bool = False,
) -> ObjectiveSpec:
    """The options as a noun of the plan; `counts` are training examples by class, None where they are not known.

    `num_examples` must be known with them on multi-label data, where the counts do not add up to it.
    """
    asked = options.class_weights
    settings = {"gamma": options.gamma} if isinstance(options, Focal) else {}
    if asked == "none":
        return ObjectiveSpec(options.kind, "none", None, settings, multi_label)
    if asked == "balanced":
        balanced = _balanced(counts, num_examples, multi_label) if counts else None
        return ObjectiveSpec(options.kind, "balanced", balanced, settings, multi_label)
    weights = tuple(asked.get(name, 1.0) for name in classes)
    return ObjectiveSpec(options.kind, "given", weights, settings, multi_label)


def _balanced(counts: Sequence[int], num_examples: int | None, multi_label: bool) -> tuple[float, ...]:
    if not multi_label:
        return balanced_weights(counts)
    assert num_examples is not None
    return positive_weights(counts, num_examples)


def balanced_weights(counts: Sequence[int]) -> tuple[float, ...]:
    """N / (C * n_c): their mean over the examples is 1. A class without examples weighs nothing."""
    total = sum(counts)
    return tuple(total / (len(counts) * count) if count else 0.0 for count in counts)


def positive_weights(counts: Sequence[int], num_examples: int) -> tuple[float, ...]:
    """(N - n_c) / n_c: the examples that have a class weigh as much as those that have it not."""
    return tuple((num_examples - count) / count if count else 0.0 for count in counts)


class Loss(Protocol):
    """A weighted mean over examples, and the weights that it divides by."""

    def __call__(self, logits_BC: Tensor, labels: Tensor, /) -> Tensor: ...

    def weight(self, labels: Tensor, /) -> float: ...


@dataclass(frozen=True)
class Objective:
    """A loss with its denominator told apart, so that batches can be added up as if they were one.

    Called with logits (B, C) and labels, (B,) int64 or shares (B, C) that sum to 1, it gives the weighted mean over
    the examples: sum of weight x loss over sum of weights. An example weighs what its class does; one of two classes
    weighs in between. `weight` is that denominator.
    """

    gamma: float
    class_weights: tuple[float, ...] | None
    label_smoothing: float = 0.0

    def __call__(self, logits_BC: Tensor, labels: Tensor) -> Tensor:
        from torch.nn.functional import cross_entropy

        if self.gamma:
            return self._focal(logits_BC, labels) / self._weights(labels, logits_BC).sum()
        smoothing = self.label_smoothing
        if self.class_weights is None:
            return cross_entropy(logits_BC, labels, label_smoothing=smoothing)
        of_class_C = logits_BC.new_tensor(self.class_weights)
        total = cross_entropy(logits_BC, labels, of_class_C, reduction="sum", label_smoothing=smoothing)
        return total / self._weights(labels, logits_BC).sum()

    def weight(self, labels: Tensor) -> float:
        """What the examples of a batch weigh together: their number where no class has a weight."""
        if self.class_weights is None:
            return len(labels)
        return float(self._weights(labels, labels.double()).sum())

    def _weights(self, labels: Tensor, like: Tensor) -> Tensor:
        """By example (B,)."""
        if self.class_weights is None:
            return like.new_ones(len(labels))
        of_class_C = like.new_tensor(self.class_weights)
        return of_class_C[labels] if labels.ndim == 1 else labels.to(of_class_C) @ of_class_C

    def _focal(self, logits_BC: Tensor, labels: Tensor) -> Tensor:
        """The sum over examples and classes of weight x share x (1 - p)^gamma x -log p."""
        from torch.nn.functional import one_hot

        num_classes = logits_BC.shape[1]
        shares_BC = one_hot(labels, num_classes).to(logits_BC) if labels.ndim == 1 else labels.to(logits_BC)
        shares_BC = shares_BC * (1 - self.label_smoothing) + self.label_smoothing / num_classes
        log_p_BC = logits_BC.log_softmax(dim=1)
        losses_BC = -shares_BC * _unsure(log_p_BC, self.gamma) * log_p_BC
        if self.class_weights is not None:
            losses_BC = losses_BC * logits_BC.new_tensor(self.class_weights)
        return losses_BC.sum()


@dataclass(frozen=True)
class MultiLabelObjective:
    """Binary cross-entropy or focal loss of every class by itself, the mean over classes and examples.

    Called with logits (B, C) and labels float (B, C), 1 where the example has the class. A class's weight multiplies
    the loss of the examples that have it (`pos_weight`); smoothing takes targets half its size towards 1/2.
    """

    gamma: float
    class_weights: tuple[float, ...] | None
    label_smoothing: float = 0.0

    def __call__(self, logits_BC: Tensor, labels: Tensor) -> Tensor:
        from torch.nn.functional import binary_cross_entropy_with_logits

        targets_BC = labels.to(logits_BC) * (1 - self.label_smoothing) + self.label_smoothing / 2
        weights_C = None if self.class_weights is None else logits_BC.new_tensor(self.class_weights)
        if not self.gamma:
            return binary_cross_entropy_with_logits(logits_BC, targets_BC, pos_weight=weights_C)
        log_yes_BC, log_no_BC = _log_sigmoid(logits_BC), _log_sigmoid(-logits_BC)
        yes_BC = _unsure(log_yes_BC, self.gamma) * log_yes_BC * targets_BC
        no_BC = _unsure(log_no_BC, self.gamma) * log_no_BC * (1 - targets_BC)
        return -((yes_BC if weights_C is None else weights_C * yes_BC) + no_BC).mean()

    def weight(self, labels: Tensor) -> float:
        return len(labels)


@dataclass(frozen=True)
class NextToken:
    """Cross-entropy of the next token at every place of every sequence, their mean.

    Called with logits (B, L, V) and the next tokens (B, L) int64.
    """

    label_smoothing: float = 0.0

    def __call__(self, logits_BLV: Tensor, labels_BL: Tensor) -> Tensor:
        from torch.nn.functional import cross_entropy

        return cross_entropy(
            logits_BLV.flatten(0, 1), labels_BL.flatten(), label_smoothing=self.label_smoothing
        )

    def weight(self, labels_BL: Tensor) -> float:
        return labels_BL.numel()


def _log_sigmoid(logits: Tensor) -> Tensor:
    from torch.nn.functional import logsigmoid

    return logsigmoid(logits)


def _unsure(log_p: Tensor, gamma: float) -> Tensor:
    """(1 - p)^gamma. 1 - p is kept off 0, where a power below 1 has no slope."""
    return (-log_p.expm1()).clamp_min(1e-7) ** gamma


def build(spec: ObjectiveSpec, label_smoothing: float) -> Loss:
    """The loss that a plan names. Balanced weights must have been resolved when it was compiled."""
    if spec.weighting != "none" and spec.class_weights is None:
        raise ValueError("the plan was compiled without the number of examples in each class")
    if spec.kind == NEXT_TOKEN:
        return NextToken(label_smoothing)
    made = MultiLabelObjective if spec.multi_label else Objective
    return made(float(spec.settings.get("gamma", 0.0)), spec.class_weights, label_smoothing)
