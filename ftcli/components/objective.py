"""What training makes small: cross-entropy or focal loss, with the classes weighted or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ftcli.plans.training_plan import ObjectiveSpec
from ftcli.registry import Choice

if TYPE_CHECKING:
    from torch import Tensor

Weight = Annotated[float, Field(ge=0)]
ClassWeights = Literal["none", "balanced"] | dict[str, Weight]


class CrossEntropy(Choice):
    """Cross-entropy."""

    kind: Literal["cross_entropy"] = "cross_entropy"
    class_weights: ClassWeights = "none"
    """balanced: N / (classes * examples of the class), so that every class weighs the same in all. Or {class: weight};
    a class that is not named weighs 1."""


class Focal(Choice):
    """Focal loss (Lin et al. 2017): an example counts less the surer the network already is of its class."""

    kind: Literal["focal"]
    gamma: float = Field(default=2.0, ge=0, le=10)
    """How much less: the cross-entropy times (1 - probability) to this power; 0 is cross-entropy."""
    class_weights: ClassWeights = "none"
    """balanced: N / (classes * examples of the class), so that every class weighs the same in all. Or {class: weight};
    a class that is not named weighs 1."""


def spec(
    options: CrossEntropy | Focal, classes: Sequence[str], counts: Sequence[int] | None
) -> ObjectiveSpec:
    """The options as a noun of the plan; `counts` are training examples by class, None where they are not known."""
    asked = options.class_weights
    settings = {"gamma": options.gamma} if isinstance(options, Focal) else {}
    if asked == "none":
        return ObjectiveSpec(options.kind, "none", None, settings)
    if asked == "balanced":
        balanced = balanced_weights(counts) if counts else None
        return ObjectiveSpec(options.kind, "balanced", balanced, settings)
    weights = tuple(asked.get(name, 1.0) for name in classes)
    return ObjectiveSpec(options.kind, "given", weights, settings)


def balanced_weights(counts: Sequence[int]) -> tuple[float, ...]:
    """N / (C * n_c): their mean over the examples is 1. A class without examples weighs nothing."""
    total = sum(counts)
    return tuple(total / (len(counts) * count) if count else 0.0 for count in counts)


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
        """The sum over examples and classes of weight x share x (1 - p)^gamma x -log p.

        1 - p is kept off 0, where a power below 1 has no slope.
        """
        from torch.nn.functional import one_hot

        num_classes = logits_BC.shape[1]
        shares_BC = one_hot(labels, num_classes).to(logits_BC) if labels.ndim == 1 else labels.to(logits_BC)
        shares_BC = shares_BC * (1 - self.label_smoothing) + self.label_smoothing / num_classes
        log_p_BC = logits_BC.log_softmax(dim=1)
        unsure_BC = (-log_p_BC.expm1()).clamp_min(1e-7) ** self.gamma
        losses_BC = -shares_BC * unsure_BC * log_p_BC
        if self.class_weights is not None:
            losses_BC = losses_BC * logits_BC.new_tensor(self.class_weights)
        return losses_BC.sum()


def build(spec: ObjectiveSpec, label_smoothing: float) -> Objective:
    """The loss that a plan names. Balanced weights must have been resolved when it was compiled."""
    if spec.weighting != "none" and spec.class_weights is None:
        raise ValueError("the plan was compiled without the number of examples in each class")
    return Objective(float(spec.settings.get("gamma", 0.0)), spec.class_weights, label_smoothing)
