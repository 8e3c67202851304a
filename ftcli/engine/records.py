"""Which epoch of a run is its best, and when a phase has come to its end before its last epoch."""

from __future__ import annotations

from ftcli.engine.progress import Best, Progress, score_of
from ftcli.events import Scores
from ftcli.plans.phase import Phase
from ftcli.plans.training_plan import TrainingPlan


def note(plan: TrainingPlan, progress: Progress, phase: Phase, scores: Scores) -> bool:
    """Bring the records up to date; True when this epoch is the best of the run."""
    score = score_of(plan.checkpoint_metric, scores)
    this = Best(progress.epoch, phase.name, scores)
    rule = phase.plateau or plan.early_stopping
    if progress.phase_best is None or score > progress.phase_best + (rule.min_delta if rule else 0.0):
        progress.phase_best, progress.stale = score, 0
    else:
        progress.stale += 1
    if phase.trains_backbone and beats(plan, scores, progress.ceiling):
        progress.ceiling = this
    if beats(plan, scores, progress.best):
        progress.best = this
        return True
    return False


def beats(plan: TrainingPlan, scores: Scores, record: Best | None) -> bool:
    """By the checkpoint metric; of equal scores the one of less loss, for a few dozen images often score alike."""
    if record is None:
        return True
    score, best = (score_of(plan.checkpoint_metric, each) for each in (scores, record.scores))
    return score > best or (score == best and scores.loss < record.scores.loss)


def has_settled(plan: TrainingPlan, progress: Progress, phase: Phase) -> bool:
    """On a plateau the next phase begins; in the last phase early stopping ends the run."""
    last = progress.phase == len(plan.phases) - 1
    rule = plan.early_stopping if last else phase.plateau
    return rule is not None and progress.stale >= rule.patience
