"""Training goes on improving while validation worsens."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ftcli.events import EpochDone
from ftcli.findings import Finding
from ftcli.planner.monitors.collapse import has_collapsed
from ftcli.planner.monitors.history import History

PATIENCE = 3
"""Epochs since the best one, all of them worse."""
RISE, RISE_SHARE = 0.05, 0.2
"""Of the validation loss, in all and against the best."""
ERRORS = 2.0
"""Of the difference's standard errors: more than enough, for both losses are of the same images."""
FALL = 0.9
"""What the training loss has fallen to since the best epoch."""
_STRONGER = {"none": "light", "flip": "light", "light": "standard", "standard": "strong"}


def overfitting(history: History) -> Iterator[Finding]:
    """By the loss, which says so long before the score: from its best epoch on, unless the score still improves."""
    if not history.epochs or has_collapsed(history):
        return
    best, last = min(history.epochs, key=lambda row: row.val.loss), history.last
    since = history.epochs[best.epoch + 1 :]
    if len(since) < PATIENCE or not all(_is_worse(best, row) for row in since[-PATIENCE:]):
        return
    gained = history.score(last.val) - history.score(best.val)
    improves = gained > history.error(best.val) and not _has_stalled(history)
    if last.train_loss > FALL * best.train_loss or improves:
        return
    scores = f"{history.score(best.val):.1%} to {history.score(last.val):.1%}"
    yield Finding(
        "warning",
        "train.epochs",
        f"overfitting since epoch {best.epoch}: over {len(since)} epochs the training loss fell from "
        f"{best.train_loss:.3g} to {last.train_loss:.3g}, and the loss on validation rose from {best.val.loss:.3g} "
        f"to {last.val.loss:.3g} ({history.metric_name} {scores})",
        _remedy(history, best),
        "overfits",
    )


def _has_stalled(history: History) -> bool:
    """A score that rose with a loss that rose, and rises no more."""
    peak = max(history.epochs, key=lambda row: history.score(row.val))
    return history.last.epoch - peak.epoch >= 2 * PATIENCE


def _is_worse(best: EpochDone, row: EpochDone) -> bool:
    error = math.hypot(*(epoch.signals.loss_error for epoch in (best, row) if epoch.signals))
    return row.val.loss - best.val.loss > max(RISE, RISE_SHARE * best.val.loss, ERRORS * error)


def _remedy(history: History, best: EpochDone) -> str:
    steps = []
    stronger = _STRONGER.get(str(history.plan.augment.get("kind")))
    if stronger:
        steps.append(f"augment: {stronger}")
    phases = history.plan.phases
    if best.epoch >= phases[-1].start_epoch:
        steps.append(f"train.epochs: {best.epoch + 1}")
    if history.plan.early_stopping is None:
        steps.append(f"train.early_stopping: {{patience: {PATIENCE}}}")
    if history.plan.strategy == "full" and history.plan.pretrained:
        steps.append("or train less of it, strategy: {kind: partial}")
    return f"{', '.join(steps) or f'more training {history.noun}s'}; {_kept(history)}"


def _kept(history: History) -> str:
    if history.plan.checkpoint_rule == "best":
        return "best.safetensors is that of the best epoch anyway"
    return "the last epoch is kept only where it scores within two standard errors of the best"
