"""Validation that jumps: because it has few images, or because something in the run is unstable."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ftcli.events import EpochDone
from ftcli.findings import Finding
from ftcli.planner.monitors.history import History
from ftcli.planner.monitors.words import lower_lr
from ftcli.plans.inputs import is_packed

WINDOW = 8
"""Epochs that are looked at."""
DEPTH = 0.06
"""How far a score falls and rises again, at least, to count as a jump."""
JUMPS = 2
CHANCE = 3.0
"""Standard errors of a difference beyond which it is not the number of images."""
ROSE = 1.2
"""The training loss of an epoch against the one before: then it is the weights that jump."""
WANTED_ERROR = 0.02
"""A validation set is large enough where the score's standard error is two points."""


def noise(history: History) -> Iterator[Finding]:
    """Epochs that are worse than what is before and after, in one phase; the first of a phase is still settling."""
    rows = _steady(history)
    turns = [
        row for at, row in enumerate(rows) if at == 0 or _score(history, row) != _score(history, rows[at - 1])
    ]
    dips = [
        (row, depth)
        for before, row, after in zip(turns, turns[1:], turns[2:], strict=False)
        if (depth := min(_score(history, before), _score(history, after)) - _score(history, row)) >= DEPTH
    ]
    if len(dips) < JUMPS:
        return
    worst, depth = max(dips, key=lambda dip: dip[1])
    error = max(history.error(row.val) for row in rows)
    epochs = ", ".join(str(row.epoch) for row, _ in dips)
    seen = (
        f"validation jumps: {history.metric_name} fell and rose again by at least {DEPTH:.0%} in epochs {epochs}, most "
        f"in epoch {worst.epoch}, by {100 * depth:.1f} points"
    )
    of_chance = 100 * math.sqrt(2) * error
    if depth <= CHANCE * math.sqrt(2) * error:
        yield _few_images(history, seen, of_chance)
    else:
        yield _unstable(history, rows, worst, seen, of_chance)


def _steady(history: History) -> list[EpochDone]:
    rows = [row for row in history.epochs if row.phase == history.last.phase] if history.epochs else []
    return rows[1:][-WINDOW:]


def _score(history: History, row: EpochDone) -> float:
    return history.score(row.val)


def _few_images(history: History, seen: str, of_chance: float) -> Finding:
    count = history.last.val.num_examples
    return Finding(
        "warning",
        "data.split.val",
        f"{seen}; of {count:,} {history.noun}s a difference of {of_chance:.1f} points is one standard error, so that "
        "which epoch scores best is chance",
        _more_to_judge_by(history, count),
        "validation-noisy",
    )


def _more_to_judge_by(history: History, count: int) -> str:
    """A larger share for validation where the data have it, or folds, which a corpus has none of."""
    share = history.score(history.last.val)
    needed = math.ceil(max(share * (1 - share), 0.05) / WANTED_ERROR**2)
    total = count + history.plan.num_train
    steps = (
        [f"data.split.val: {needed / total:.2f} ({needed:,} {history.noun}s)"] if needed < 0.4 * total else []
    )
    if not is_packed(history.plan.preprocessing):
        steps.append("data.split.folds: 5 with ftcli train --folds")
    return ", or ".join(steps) or "more text"


def _unstable(
    history: History, rows: list[EpochDone], worst: EpochDone, seen: str, of_chance: float
) -> Finding:
    where, why, remedy = _cause(history, rows, worst)
    message = f"{seen}, where the number of {history.noun}s explains {of_chance:.1f}: {why}"
    return Finding("warning", where, message, remedy, "validation-unstable")


def _cause(history: History, rows: list[EpochDone], worst: EpochDone) -> tuple[str, str, str]:
    """By what else jumps: the training loss goes with the LR, running statistics with the batch."""
    before = next(row for row in reversed(history.epochs) if row.epoch < worst.epoch)
    rise = worst.train_loss / before.train_loss if before.train_loss else 1.0
    losses = f"the training loss went from {before.train_loss:.3g} to {worst.train_loss:.3g}"
    slower = lower_lr(history, 3)
    if rise > ROSE:
        return "optimizer.lr", f"{losses} with it", f"{slower}, and schedule: cosine"
    if any(mode.updates_stats for mode in history.phase_of(worst).batch_norms):
        size = history.plan.batch_size
        larger = f" or train.batch_size: {4 * size}" if size < 32 else ""
        told = (
            f"{losses}, and BatchNorm's statistics follow batches of {size}; or what validation sees is not the same "
            "each time"
        )
        return "norm", told, f"norm: freeze_stats{larger}; or {slower}"
    told = f"{losses}, and no statistics are updated: what validation sees is not the same each time"
    return "data", told, f"look for files or preprocessing that change during the run; or {slower}"
