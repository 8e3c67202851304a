"""The part of the network below a phase's boundary: folded, and cut off, where that is proved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from ftcli.engine.asked import Pass
from ftcli.engine.cut import Cut
from ftcli.engine.folded import UNFOLDED, Fold
from ftcli.engine.text_batches import TextBatches
from ftcli.engine.work import Work
from ftcli.events import Noticed
from ftcli.findings import Finding
from ftcli.plans.folding import frozen_below
from ftcli.plans.phase import Phase

PROOF_EXAMPLES = 4


def cut_of(work: Work, phase: Phase, passes: Sequence[Pass]) -> Cut | None:
    """Through which the passes go, or have gone in an earlier run; None, and a finding, where the network has none."""
    return _cut_above_folded(work, phase, passes) or new_cut(work, phase)


def new_cut(work: Work, phase: Phase) -> Cut | None:
    """One through which images may go; None, and a finding, where the network has none."""
    boundary = phase.prefix.boundary
    cut = work.prefixes.cut(work.network, boundary, lambda: proof_of(work), fold_of(work, phase))
    if cut is None:
        work.tell(Noticed(_not_cut(stage_of(work, boundary), texts=isinstance(work.batches, TextBatches))))
    return cut


def fold_of(work: Work, phase: Phase) -> Fold:
    """The frozen batch norms, where the plan folds them and the proof holds."""
    boundary = phase.prefix.boundary
    if not _folds(work, phase):
        return UNFOLDED
    fold = work.prefixes.fold(work.network, boundary, lambda: proof_of(work))
    if not fold.convolutions:
        work.tell(Noticed(_not_folded(stage_of(work, boundary), fold.error)))
    return fold


def _folds(work: Work, phase: Phase) -> bool:
    return work.plan.fold_bn == "folded" and bool(frozen_below(work.plan.layer_map, [phase]))


def _cut_above_folded(work: Work, phase: Phase, passes: Sequence[Pass]) -> Cut | None:
    """Where an earlier run has left all that is asked for, folded: nothing below will be computed, so that there is
    nothing to fold. None where there is, or where frozen layers lie above the cut.
    """
    boundary, prefixes = phase.prefix.boundary, work.prefixes
    if not _folds(work, phase):
        return None
    rounding = prefixes.find_folded(work.network, boundary, passes)
    if not rounding:
        return None
    cut = prefixes.cut(work.network, boundary, lambda: proof_of(work))
    return replace(cut, rounding=rounding) if cut and cut.boundary == boundary else None


def proof_of(work: Work) -> Tensor:
    """A few examples: the proof that a cut is right needs the whole network twice."""
    return work.batches.some(PROOF_EXAMPLES)


def stage_of(work: Work, boundary: int) -> str:
    return work.network.layer_map.layers[boundary].stage


def _not_folded(stage: str, error: float) -> Finding:
    why = (
        "none follows a convolution that nothing else uses"
        if error == 0
        else f"it would move the features by {error:.1e} of their norm"
    )
    return Finding(
        "info",
        stage,
        f"the batch norms below {stage} are not folded into convolutions: {why}",
        "nothing to do; the run only takes longer",
        "batch-norm-not-folded",
    )


def _not_cut(stage: str, *, texts: bool) -> Finding:
    why = ", or rounds otherwise where texts are padded further" if texts else ""
    return Finding(
        "info",
        stage,
        f"the network cannot be cut in two below {stage}{why}: its frozen part is computed in every epoch",
        "nothing to do; the numbers are the same",
        "network-not-cut",
    )
