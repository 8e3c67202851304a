"""What a run has told of itself so far: all that a monitor goes by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from ftcli.events import EpochDone, PhaseProved, Scores
from ftcli.plans.inputs import noun_of
from ftcli.plans.layer_map import HEAD
from ftcli.plans.phase import Phase
from ftcli.plans.score_error import effective_count, variance_of_share
from ftcli.plans.training_plan import TrainingPlan

SCORES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "mean_average_precision": "mean average precision",
}
"""Checkpoint metrics that are means over examples or classes, with an error that is known; their names in prose."""


@dataclass(frozen=True)
class History:
    """`epochs` in order, from 0; `val_counts`: validation examples of each class."""

    plan: TrainingPlan
    epochs: tuple[EpochDone, ...] = ()
    floor: Scores | None = None
    """The linear probe, once it has been measured."""
    val_counts: tuple[int, ...] = ()
    proofs: tuple[PhaseProved, ...] = ()
    ended: bool = False
    """No epoch follows."""

    @property
    def last(self) -> EpochDone:
        return self.epochs[-1]

    @property
    def metric(self) -> str:
        """What scores are compared on: the checkpoint metric, or for a loss the accuracy."""
        return self.plan.checkpoint_metric if self.plan.checkpoint_metric in SCORES else "accuracy"

    @property
    def metric_name(self) -> str:
        return SCORES[self.metric]

    @property
    def noun(self) -> str:
        """What an example is."""
        return noun_of(self.plan.preprocessing)

    def score(self, scores: Scores) -> float:
        return value_of(scores, self.metric)

    def error(self, scores: Scores) -> float:
        """The standard error of a score."""
        return math.sqrt(variance_of(scores, self.metric, effective_count(self.metric, self.val_counts)))

    def is_below(self, row: EpochDone, other: EpochDone) -> bool:
        """By more than two standard errors of the difference of their scores."""
        error = math.hypot(self.error(row.val), self.error(other.val))
        return self.score(other.val) - self.score(row.val) > 2 * error

    @cached_property
    def prior_entropy(self) -> float:
        """The cross-entropy of saying how frequent each class is, whatever the image: ln C where all are alike."""
        counts = [count for count in self.val_counts if count]
        if not counts:
            return math.log(self.plan.num_outputs)
        return -sum(count / sum(counts) * math.log(count / sum(counts)) for count in counts)

    @property
    def most_frequent(self) -> float:
        """The share of the most frequent class: the accuracy of saying its name every time."""
        return max(self.val_counts) / sum(self.val_counts) if any(self.val_counts) else 0.0

    def phase_of(self, row: EpochDone) -> Phase:
        return next(phase for phase in self.plan.phases if phase.name == row.phase)

    def begins_phase(self, row: EpochDone) -> bool:
        return row.epoch == 0 or self.epochs[row.epoch - 1].phase != row.phase

    def lr(self, stage: str, phase: Phase) -> float:
        """The stage's highest LR in the phase; 0 where it is frozen."""
        scales = [group.lr_scale for group in phase.groups if group.stage == stage]
        return self.plan.optimizer.lr * max(scales, default=0.0)

    @property
    def divisor(self) -> float:
        """How far the backbone's fastest LR lies below the head's, in the last phase."""
        groups = self.plan.phases[-1].groups
        head = max((g.lr_scale for g in groups if g.stage == HEAD), default=1.0)
        body = max((g.lr_scale for g in groups if g.stage != HEAD), default=head)
        return head / body if body else 1.0


def value_of(scores: Scores, metric: str) -> float:
    """Balanced accuracy is None in runs from before it was measured."""
    found = getattr(scores, metric)
    return float(scores.accuracy if found is None else found)


def variance_of(scores: Scores, metric: str, effective: float | None) -> float:
    """Of a score on validation, `effective` as plans/score_error counts examples."""
    examples = scores.num_examples if effective is None else effective
    return variance_of_share(value_of(scores, metric), examples)
