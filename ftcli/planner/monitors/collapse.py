"""Features that an LR has destroyed: one class for every image, or a training loss that runs away."""

from __future__ import annotations

from collections.abc import Iterator

from ftcli.events import EpochDone
from ftcli.findings import Finding
from ftcli.planner.monitors.history import History
from ftcli.planner.monitors.words import lower_lr, percent, slower_backbone
from ftcli.plans.layer_map import HEAD
from ftcli.plans.signals import StageDrift

ONE_CLASS = 0.99
"""Of the predictions."""
MOST_UNEVEN = 0.9
"""Beyond it saying one class nearly every time may be the best there is."""
PATIENCE = 3
"""Epochs of one class, where the run itself has never told classes apart."""
FAR = 0.5
"""Weights that have moved by half of what they were: features of their own no more."""
RUNAWAY, BEYOND_GUESSING = 2.0, 1.5
"""The training loss against its least so far, and against that of guessing."""
LASTING = 2
"""Epochs of it: one that is made good in the next is a jump."""


def collapse(history: History) -> Iterator[Finding]:
    """Told at once where classes were told apart before and more than the validation shows it; else after a few
    epochs, in which weights moved far where classes were never told apart."""
    if not history.epochs or history.most_frequent > MOST_UNEVEN or not _one_class(history.last):
        return
    last = history.last
    before = next((row for row in reversed(history.epochs) if _tells_apart(history, row)), None)
    lasting = len(history.epochs) >= PATIENCE and all(_one_class(row) for row in history.epochs[-PATIENCE:])
    if before is None and not (lasting and _moved_far(last)):
        return
    if before is not None and last.train_loss < before.train_loss:  # training knows of no collapse
        if lasting:
            yield _in_evaluation_alone(history, before)
        return
    if not (lasting or _moved_far(last) or last.train_loss > history.prior_entropy):
        return
    since = f"epoch {before.epoch} had {before.val.accuracy:.1%}" if before else "from the first epoch on"
    signals = last.signals
    assert signals is not None
    assert signals.top_class is not None
    yield Finding(
        "error",
        "optimizer.lr",
        f"the network collapsed: in epoch {last.epoch} it calls {signals.top_share or 0:.0%} of the validation "
        f"{history.noun}s {history.plan.classes[signals.top_class]!r} ({since}); {_evidence(history)}",
        _remedy(history),
        "collapsed-to-one-class",
    )


def _in_evaluation_alone(history: History, before: EpochDone) -> Finding:
    last = history.last
    return Finding(
        "error",
        "norm",
        f"since {PATIENCE} epochs nearly all validation {history.noun}s are of one class (epoch {before.epoch} had "
        f"{before.val.accuracy:.1%}), while the training loss fell from {before.train_loss:.3g} to "
        f"{last.train_loss:.3g}: evaluation sees another network than training, as it does where BatchNorm's running "
        "statistics are wrong",
        "norm: freeze_stats, or a larger train.batch_size",
        "collapsed-to-one-class",
    )


def divergence(history: History) -> Iterator[Finding]:
    """A training loss that stays far above its own least, and above that of guessing, at the expense of the score.

    A collapse says it already. A score that falls no further than chance lets it, on few images, shows nothing lost.
    """
    if len(history.epochs) <= LASTING or has_collapsed(history):
        return
    least = min(history.epochs[:-LASTING], key=lambda row: row.train_loss)
    beyond = max(RUNAWAY * least.train_loss, BEYOND_GUESSING * history.prior_entropy)
    last = history.last
    if any(row.train_loss < beyond for row in history.epochs[-LASTING:]) or not history.is_below(last, least):
        return
    yield Finding(
        "error",
        "optimizer.lr",
        f"training diverges: its loss was {least.train_loss:.3g} in epoch {least.epoch} and is {last.train_loss:.3g} "
        f"in epoch {last.epoch}, where guessing has {history.prior_entropy:.3g}; {_evidence(history)}",
        _remedy(history),
        "loss-diverges",
    )


def has_collapsed(history: History) -> bool:
    return any(True for _ in collapse(history))


def has_diverged(history: History) -> bool:
    return any(True for _ in divergence(history))


def _one_class(row: EpochDone) -> bool:
    return row.signals is not None and (row.signals.top_share or 0) >= ONE_CLASS


def _tells_apart(history: History, row: EpochDone) -> bool:
    """Better than saying the most frequent class, beyond the error of so many images."""
    return not _one_class(row) and row.val.accuracy > history.most_frequent + 3 * history.error(row.val)


def _moved_far(row: EpochDone) -> bool:
    return any(drift.weights > FAR for drift in _stages(row))


def _stages(row: EpochDone) -> list[StageDrift]:
    return [d for d in row.signals.drift if d.stage != HEAD] if row.signals else []


def _evidence(history: History) -> str:
    last = history.last
    phase = history.phase_of(last)
    moved = max(_stages(last), key=lambda drift: drift.weights, default=None)
    if moved is None or moved.weights == 0:
        return f"the head's LR is {history.lr(HEAD, phase):g}"
    lr = history.lr(moved.stage, phase)
    return f"{moved.stage} moved by {percent(moved.weights)} of its first weights at LR {lr:g}"


def _remedy(history: History) -> str:
    """A tenth of the LR, or as much less as the weights moved too far, in tens."""
    moved = max((drift.weights for drift in _stages(history.last)), default=0.0)
    factor = 100.0 if moved > 5 else 10.0
    steps = [lower_lr(history, factor)]
    if history.phase_of(history.last).trains_backbone and history.plan.pretrained and history.divisor < 100:
        steps.append(f"or {slower_backbone(history, factor)}")
    if history.plan.clip_norm is None:
        steps.append("train.clip_norm: 1.0")
    return f"{'; '.join(steps)}; ftcli lr-find shows where it diverges"
