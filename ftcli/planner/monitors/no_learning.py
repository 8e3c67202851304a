"""Neither training nor validation improves: the LR, what is frozen, or the labels. Decided by evidence."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ftcli.findings import Finding
from ftcli.planner.monitors.collapse import has_collapsed, has_diverged
from ftcli.planner.monitors.history import History
from ftcli.planner.monitors.words import lower_lr, percent, rounded
from ftcli.plans.inputs import is_packed
from ftcli.plans.layer_map import HEAD
from ftcli.plans.score_error import effective_count

FEWEST_EPOCHS = 4
"""Fewer show nothing: networks take a while."""
EXPLAINED = 0.1
"""Of the labels' entropy: a model that knows less of them has learned nothing to speak of."""
ERRORS = 3.0
"""Standard errors by which a score must beat guessing."""
LITTLE = 0.1
"""A head whose weights have moved by less than that part of their first, random values has not begun to learn."""
MEMORISED = 0.85
"""What the training loss must have fallen to, to have been learned by heart."""
ALIKE = 1e-4
"""Of the logits' squared norm: below it the network answers every image alike."""


def no_learning(history: History) -> Iterator[Finding]:
    """Of classes. Once half of the epochs are over; only at the end where training learns: validation may follow."""
    done = len(history.epochs)
    if done < FEWEST_EPOCHS or not (
        history.ended or (done >= history.plan.epochs / 2 and not _training_learns(history))
    ):
        return
    if history.plan.objective.multi_label or is_packed(history.plan.preprocessing) or _has_learned(history):
        return
    if has_collapsed(history) or has_diverged(history):
        return
    where, why, remedy = _cause(history)
    best = max(history.epochs, key=lambda row: row.val.accuracy)
    first, last = history.epochs[0], history.last
    message = (
        f"nothing is learned in {done} epochs: the loss on validation is {last.val.loss:.3g}, where guessing has "
        f"{history.prior_entropy:.3g}, that of training went from {first.train_loss:.3g} to {last.train_loss:.3g}, and "
        f"accuracy is {best.val.accuracy:.1%} at best, where the most frequent class has {history.most_frequent:.1%}; "
        f"{why}"
    )
    yield Finding("error", where, message, remedy, "nothing-learned")


def _training_learns(history: History) -> bool:
    return history.last.train_loss < (1 - EXPLAINED) * min(
        history.epochs[0].train_loss, history.prior_entropy
    )


def _has_learned(history: History) -> bool:
    """By a loss, or by a score beyond what guessing reaches by luck: it has errors of its own."""
    count = history.last.val.num_examples
    most, chance = history.most_frequent, 1 / max(sum(c > 0 for c in history.val_counts), 1)
    effective = effective_count("balanced_accuracy", history.val_counts) or count
    for row in history.epochs:
        explained = 1 - row.val.loss / history.prior_entropy if history.prior_entropy else 1.0
        if explained > EXPLAINED or row.val.accuracy > most + _luck(most, count):
            return True
        if (row.val.balanced_accuracy or 0.0) > chance + _luck(chance, effective):
            return True
    return False


def _luck(share: float, count: float) -> float:
    """How far a guess that is right so often gets beyond it on so many examples."""
    return ERRORS * math.sqrt(share * (1 - share) / count)


def _cause(history: History) -> tuple[str, str, str]:
    """Where, why, and what to change."""
    first, last, look_at_labels = history.epochs[0], history.last, _look_at_labels(history)
    head = last.signals.moved(HEAD) if last.signals else None
    frozen = _never_trained(history)
    alike = last.signals is not None and last.signals.logit_spread < ALIKE
    if frozen and alike:
        return _dead_features(history, frozen)
    if head is not None and head.weights < LITTLE:
        return _low_lr(history, head.weights)
    moved = f"the head moved by {percent(head.weights)} of its first weights" if head else "the head moved"
    if _probe_learned(history):
        return _high_lr(history, moved)
    if last.train_loss < MEMORISED * min(first.train_loss, history.prior_entropy):
        why = f"training {history.noun}s are learned by heart, and that says nothing of others: the labels"
        return "data", why, look_at_labels
    moved = f"{moved}: it is not the LR"
    if not frozen:
        return (
            "data",
            f"{moved}, and nothing is frozen: the labels do not go with the {history.noun}s",
            look_at_labels,
        )
    why = f"{moved}, and the features differ between {history.noun}s: the labels do not go with what "
    why += f"{_run(frozen)} sees"
    return "data", why, f"{look_at_labels}; where they are right, train what is frozen: strategy: lp_ft"


def _never_trained(history: History) -> list[str]:
    """Stages that were frozen in every epoch so far."""
    trained = {group.stage for row in history.epochs for group in history.phase_of(row).groups}
    return [stage for stage in history.plan.layer_map.backbone_stages if stage not in trained]


def _dead_features(history: History, frozen: list[str]) -> tuple[str, str, str]:
    why = (
        f"the network answers every {history.noun} alike, and {_run(frozen)} is frozen: its features do not tell "
        f"{history.noun}s apart"
    )
    weights = "model.weights: default" if not history.plan.pretrained else "other model.weights"
    return "strategy", why, f"train what is frozen, strategy: full, or take {weights}"


def _low_lr(history: History, moved: float) -> tuple[str, str, str]:
    lr = history.plan.optimizer.lr
    factor = min(max(0.5 / max(moved, 1e-9), 10.0), 1000.0)
    why = f"at LR {history.lr(HEAD, history.phase_of(history.last)):g} the head has moved by {moved:.2%} of its first, "
    why += "random weights: the LR is too low, or there are too few steps"
    return (
        "optimizer.lr",
        why,
        f"optimizer.lr: {rounded(lr * factor)} (now {lr:g}); ftcli lr-find suggests one",
    )


def _probe_learned(history: History) -> bool:
    floor = history.floor
    return floor is not None and floor.accuracy > history.most_frequent + _luck(0.5, floor.num_examples)


def _high_lr(history: History, moved: str) -> tuple[str, str, str]:
    assert history.floor is not None
    why = (
        f"a linear probe of the first features has {history.floor.accuracy:.1%}, so it is neither the data nor what is "
        f"frozen; {moved}: the LR is too high"
    )
    return "optimizer.lr", why, f"{lower_lr(history, 10)}; ftcli lr-find suggests one"


def _run(stages: list[str]) -> str:
    return stages[0] if len(stages) == 1 else f"{stages[0]} to {stages[-1]}"


def _look_at_labels(history: History) -> str:
    return (
        f"look at the labels of some {history.noun}s (ftcli audit shows copies under two labels), and at "
        "data.label_column where a manifest has them"
    )
