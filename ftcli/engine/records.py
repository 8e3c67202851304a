"""Which epoch of a run is kept, and when a phase has come to its end before its last epoch."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from ftcli.engine.progress import Best, Progress, score_of
from ftcli.events import Scores
from ftcli.plans.phase import Phase
from ftcli.plans.score_error import effective_count, variance_of_share
from ftcli.plans.training_plan import TrainingPlan

WORSE = 2.0
"""Standard errors below the best score that are worse: of epochs that are its equal one in six is one error below, and
the best of many owes something to chance."""
MOST = 0.2
"""Of a score is worse however few the examples are."""


def note(
    plan: TrainingPlan, progress: Progress, phase: Phase, scores: Scores, val_counts: Sequence[int] = ()
) -> bool:
    """Bring the records up to date; True when this is the epoch of the run to keep, so far.

    `val_counts`: validation examples of each class.
    """
    score = score_of(plan.checkpoint_metric, scores)
    this = Best(progress.epoch, phase.name, scores)
    rule = phase.plateau or plan.early_stopping
    if progress.phase_best is None or score > progress.phase_best + (rule.min_delta if rule else 0.0):
        progress.phase_best, progress.stale = score, 0
    else:
        progress.stale += 1
    if phase.trains_backbone and _replaces(plan, this, progress.ceiling, val_counts):
        progress.ceiling = this
    if _replaces(plan, this, progress.best, val_counts):
        progress.best = this
        return True
    return False


def _replaces(plan: TrainingPlan, this: Best, record: Best | None, val_counts: Sequence[int]) -> bool:
    """By a better score; of the last epoch, where the plan says so, one that is as good will do."""
    if beats(plan, this.scores, record):
        return True
    settled = plan.checkpoint_rule == "last" and this.epoch == plan.epochs - 1
    return settled and record is not None and is_as_good(plan, this.scores, record, val_counts)


def beats(plan: TrainingPlan, scores: Scores, record: Best | None) -> bool:
    """By the checkpoint metric; of equal scores the one of less loss, for a few dozen images often score alike."""
    if record is None:
        return True
    score, best = (score_of(plan.checkpoint_metric, each) for each in (scores, record.scores))
    return score > best or (score == best and scores.loss < record.scores.loss)


def is_as_good(plan: TrainingPlan, scores: Scores, record: Best, val_counts: Sequence[int]) -> bool:
    """By its score, as sure as that is."""
    metric, of = plan.checkpoint_metric, record.scores.num_examples
    best = score_of(metric, record.scores)
    error = sqrt(variance_of_share(best, effective_count(metric, val_counts) or of))
    return score_of(metric, scores) >= best - min(WORSE * error, MOST)


def has_settled(plan: TrainingPlan, progress: Progress, phase: Phase) -> bool:
    """On a plateau the next phase begins; in the last phase early stopping ends the run."""
    last = progress.phase == len(plan.phases) - 1
    rule = plan.early_stopping if last else phase.plateau
    return rule is not None and progress.stale >= rule.patience
