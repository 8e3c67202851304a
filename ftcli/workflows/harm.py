"""Why a run ended below its floor, as a finding with the evidence."""

from __future__ import annotations

from ftcli.engine.diagnose import HarmEvidence, gather_evidence
from ftcli.engine.work import Work
from ftcli.findings import Finding
from ftcli.recipe.schema import Recipe
from ftcli.workflows.prepare import open_network
from ftcli.workflows.verdict import NAMES


def explain_harm(recipe: Recipe, work: Work) -> Finding:
    """The network holds the weights of the last epoch; the pretrained ones are opened again to compare."""
    pretrained = open_network(recipe, len(work.plan.classes)).model.state_dict()
    evidence = gather_evidence(work, pretrained)
    return _batch_norm(evidence) if evidence.is_batch_norm else _learning_rate(work, evidence)


def _batch_norm(evidence: HarmEvidence) -> Finding:
    mended = evidence.score_with_pretrained_stats or 0.0
    return Finding(
        "error",
        "norm",
        "fine-tuned below the linear probe, and BatchNorm is why: with the pretrained statistics put back the same "
        f"weights have {mended:.1%} {NAMES[evidence.metric]} instead of {evidence.score:.1%}",
        "set norm: freeze_stats",
    )


def _learning_rate(work: Work, evidence: HarmEvidence) -> Finding:
    stage, moved = max(evidence.moved.items(), key=lambda item: item[1])
    base = work.plan.optimizer.lr
    rates = [
        base * group.lr_scale for phase in work.plan.phases for group in phase.groups if group.stage == stage
    ]
    lr = max(rates, default=0.0)
    if moved < SMALL_MOVE:
        or_lp_ft = "" if work.plan.strategy == "lp_ft" else ", or use strategy: lp_ft"
        return Finding(
            "error",
            "optimizer.lr",
            f"fine-tuned below the linear probe, with weights hardly moved (at most {moved:.2%}, in {stage} at "
            f"LR {lr:g}): too few steps or too low an LR for the new head",
            f"raise optimizer.lr or train.epochs{or_lp_ft}",
        )
    return Finding(
        "error",
        "optimizer.lr",
        f"fine-tuned below the linear probe, and the LR is why: {stage} moved by {moved:.0%} of its pretrained "
        f"weights at LR {lr:g}",
        "lower the backbone's LR tenfold, for instance layer_lr: {kind: discriminative, backbone_divisor: 100}",
    )


SMALL_MOVE = 0.005
"""Below half a percent the pretrained weights are as they were."""
