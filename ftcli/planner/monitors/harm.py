"""Why a run ended below its linear probe: LR or BatchNorm, with what the history adds to the evidence."""

from __future__ import annotations

from ftcli.findings import Finding
from ftcli.planner.monitors.history import History
from ftcli.planner.monitors.words import lower_lr, percent, slower_backbone
from ftcli.plans.harm import HarmEvidence

SMALL_MOVE = 0.005
"""Below half a percent the pretrained weights are as they were."""
MODEST_MOVE = 0.05
"""Up to a twentieth, after an epoch or two, is no evidence against the LR."""
FAR = 0.5
"""Half of the weights' norm: what they were is lost."""


def harm(history: History, evidence: HarmEvidence) -> Finding:
    where, why, remedy = _batch_norm(history, evidence) or _learning_rate(history, evidence)
    return Finding(
        "error",
        where,
        f"fine-tuned below the linear probe, {why}{_fall(history)}",
        remedy,
        "below-linear-probe",
    )


def _batch_norm(history: History, evidence: HarmEvidence) -> tuple[str, str, str] | None:
    """Where putting the statistics back makes good at least half of what is missing."""
    if not evidence.is_batch_norm or _made_good(history, evidence) < 0.5:
        return None
    mended = evidence.score_with_pretrained_stats or 0.0
    why = (
        "and BatchNorm is why: with the pretrained statistics put back the same weights have "
        f"{mended:.1%} {history.metric_name} instead of {evidence.score:.1%}"
    )
    drift = history.last.signals.drift if history.epochs and history.last.signals else ()
    known = [stage for stage in drift if stage.statistics is not None]
    if known:
        worst = max(known, key=lambda stage: stage.statistics or 0.0)
        why += f"; those of {worst.stage} moved by {percent(worst.statistics or 0.0)}"
    return "norm", why, "norm: freeze_stats"


def _made_good(history: History, evidence: HarmEvidence) -> float:
    """Of the last epoch's distance to the probe; all of it where no probe is known."""
    missing = history.score(history.floor) - evidence.score if history.floor else 0.0
    return ((evidence.score_with_pretrained_stats or 0.0) - evidence.score) / missing if missing > 0 else 1.0


def _learning_rate(history: History, evidence: HarmEvidence) -> tuple[str, str, str]:
    stage, moved = max(evidence.moved.items(), key=lambda item: item[1])
    lr = max((history.lr(stage, phase) for phase in history.plan.phases), default=0.0)
    if moved < SMALL_MOVE:
        base = history.plan.optimizer.lr
        or_lp_ft = "" if history.plan.strategy == "lp_ft" else ", or strategy: lp_ft"
        why = f"with weights hardly moved (at most {moved:.2%}, in {stage} at LR {lr:g}): too few steps or too low "
        why += "an LR for the new head"
        return (
            "optimizer.lr",
            why,
            f"optimizer.lr: {10 * base:g} (now {base:g}), or more train.epochs{or_lp_ft}",
        )
    if moved < FAR and not _fall(history) and _still_improves(history):
        return _too_short(history)
    if moved < MODEST_MOVE and 0 < len(history.epochs) <= 2 and not _fall(history):
        return _too_short_to_tell(history, stage, moved, lr)
    why = f"and the LR is why: {stage} moved by {percent(moved)} of its pretrained weights at LR {lr:g}"
    slower = slower_backbone(history, 10)
    return "optimizer.lr", why, f"{slower}, or {lower_lr(history, 10)}"


def _too_short(history: History) -> tuple[str, str, str]:
    first, last = history.epochs[0], history.last
    why = (
        f"and it was still improving: the loss on validation fell from {first.val.loss:.3g} to {last.val.loss:.3g} in "
        f"{len(history.epochs)} epochs, without a setback, and was at its best at the end: too few epochs"
    )
    lr = history.plan.optimizer.lr
    or_lp_ft = "" if history.plan.strategy == "lp_ft" else ", or strategy: lp_ft"
    return (
        "train.epochs",
        why,
        f"train.epochs: {2 * history.plan.epochs}, or optimizer.lr: {2 * lr:g}{or_lp_ft}",
    )


def _too_short_to_tell(history: History, stage: str, moved: float, lr: float) -> tuple[str, str, str]:
    count = len(history.epochs)
    why = (
        f"after {count} epoch{'s' * (count > 1)}, too few to tell more: {stage} moved by {percent(moved)} of its "
        f"pretrained weights at LR {lr:g}"
    )
    or_lp_ft = "" if history.plan.strategy == "lp_ft" else ", or strategy: lp_ft"
    return "train.epochs", why, f"train.epochs: {max(2 * history.plan.epochs, 5)}{or_lp_ft}"


def _still_improves(history: History) -> bool:
    """The best epoch by its loss is the last or the one before it."""
    if len(history.epochs) < 3:
        return False
    best = min(history.epochs, key=lambda row: row.val.loss)
    return best.epoch >= len(history.epochs) - 2


def _fall(history: History) -> str:
    """The epoch in which the score fell most, where that is beyond its error, and what began there."""
    pairs = list(zip(history.epochs, history.epochs[1:], strict=False))
    if not pairs:
        return ""
    before, after = max(pairs, key=lambda pair: history.score(pair[0].val) - history.score(pair[1].val))
    was, became = history.score(before.val), history.score(after.val)
    if was - became < 3 * history.error(before.val):
        return ""
    began = f", the first of phase {after.phase}" if history.begins_phase(after) else ""
    return f"; it fell from {was:.1%} to {became:.1%} in epoch {after.epoch}{began}{_warmed_up(history, after.epoch)}"


def _warmed_up(history: History, epoch: int) -> str:
    """Where the LR was at its height when it fell."""
    row = history.epochs[epoch]
    highest = max(r.lr_head for r in history.epochs if r.phase == row.phase)
    return f", at the phase's highest LR ({row.lr_head:.2g})" if row.lr_head >= 0.99 * highest else ""
