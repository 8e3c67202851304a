"""What fine-tuning a language model came to: perplexity before and after, in one sentence."""

from __future__ import annotations

import math

from ftcli.engine.next_tokens import perplexity_of
from ftcli.events import Scores
from ftcli.findings import Finding
from ftcli.plans.training_plan import TrainingPlan
from ftcli.workflows.result import VerdictKind

ERRORS = 2.0
"""Standard errors of a difference beyond which it is one; more than enough, for both are of the same sequences."""


def perplexity_verdict(before: Scores, after: Scores, pretrained: bool) -> tuple[VerdictKind, str]:
    """Both on validation: the network as it was opened, and its best epoch."""
    losses = f"loss {before.loss:.3f} -> {after.loss:.3f} a token"
    told = f"perplexity {_told(before)} -> {_told(after)} on validation, {losses}"
    if not pretrained:
        return "scratch", f"trained from scratch: {told}"
    error = math.hypot(before.loss_error or 0.0, after.loss_error or 0.0)
    if abs(before.loss - after.loss) <= ERRORS * error:
        return "no_clear_gain", f"no clear gain: {told}, within two standard errors ({error:.3f})"
    if after.loss > before.loss:
        return "below_floor", f"fine-tuning did harm: {told}"
    return "gain", f"fine-tuning pays: {told}"


def perplexity_rose(plan: TrainingPlan, before: Scores, after: Scores) -> Finding:
    message = (
        f"the best epoch's perplexity on validation is {_told(after)}, and that of the network as it was opened "
        f"{_told(before)}: what was learned is lost, and nothing better took its place"
    )
    lr = plan.optimizer.lr
    remedy = f"optimizer.lr: {lr / 10:g} (now {lr:g}); ftcli lr-find shows where it diverges"
    return Finding("error", "optimizer.lr", message, remedy, "perplexity-rose")


def _told(scores: Scores) -> str:
    return f"{perplexity_of(scores.loss):,.4g}"
