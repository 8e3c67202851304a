"""A score that falls where more of the backbone begins to train: told at once, while there is time to stop."""

from __future__ import annotations

from collections.abc import Iterator

from ftcli.findings import Finding
from ftcli.planner.monitors.collapse import has_collapsed
from ftcli.planner.monitors.history import History
from ftcli.planner.monitors.words import percent, slower_backbone
from ftcli.plans.layer_map import HEAD
from ftcli.plans.phase import Phase


def unfreezing(history: History) -> Iterator[Finding]:
    """After the first epoch of such a phase, beyond two errors; the training loss too, or it is BatchNorm settling."""
    if len(history.epochs) < 2 or not history.begins_phase(history.last) or has_collapsed(history):
        return
    before, last = history.epochs[-2:]
    phase = history.phase_of(last)
    trained = {group.stage for group in history.phase_of(before).groups}
    begun = [group.stage for group in phase.groups if group.stage not in (*trained, HEAD)]
    if not begun or last.train_loss <= before.train_loss or not history.is_below(last, before):
        return
    fastest = max(begun, key=lambda stage: history.lr(stage, phase))
    drift = last.signals.moved(fastest) if last.signals else None
    moved = f", and it moved by {percent(drift.weights)} of its first weights" if drift else ""
    yield Finding(
        "warning",
        "layer_lr",
        f"{history.metric_name} fell from {history.score(before.val):.1%} to {history.score(last.val):.1%} in epoch "
        f"{last.epoch}, when {fastest} began to train at LR {history.lr(fastest, phase):g}{moved}; the training loss "
        f"rose from {before.train_loss:.3g} to {last.train_loss:.3g}",
        f"where the next epochs do not make it good: {slower_backbone(history, 10)}{_statistics(phase)}",
        "unfreezing-hurts",
    )


def _statistics(phase: Phase) -> str:
    """The other thing that begins to move there."""
    return ", or norm: freeze_stats" if any(mode.updates_stats for mode in phase.batch_norms) else ""
