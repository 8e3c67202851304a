"""What a range test says of the LRs that a recipe plans."""

from __future__ import annotations

from collections.abc import Iterable

from ftcli.findings import Finding
from ftcli.plans.lr_sweep import LrSweep

TIMES_BELOW = 10
"""So far below the suggestion a planned LR is worth a word."""


def lr_findings(sweeps: Iterable[LrSweep]) -> tuple[Finding, ...]:
    """In the order of the sweeps; at most one of each."""
    return tuple(found for found in map(_finding, sweeps) if found is not None)


def _finding(sweep: LrSweep) -> Finding | None:
    where = f"{sweep.phase}, {sweep.stage or 'optimizer.lr'}"
    suggestion, limit = sweep.suggestion, sweep.limit
    if limit is not None and sweep.planned > limit:
        return Finding(
            "warning",
            where,
            f"with the planned LR of {sweep.planned:.2g} the loss is likely to be lost: {_why(sweep)}",
            f"lower it, to {sweep.recommended:.2g} for instance",
            "lr-near-divergence",
        )
    if suggestion is not None and sweep.planned * TIMES_BELOW < suggestion.valley:
        return Finding(
            "info",
            where,
            f"the planned LR of {sweep.planned:.2g} is more than {TIMES_BELOW} times below the suggested one",
            f"try {suggestion.valley:.2g}",
            "lr-far-below-suggestion",
        )
    return None


def _why(sweep: LrSweep) -> str:
    if sweep.diverges_at is not None and sweep.planned > sweep.diverges_at / 2:
        return f"that is more than half of {sweep.diverges_at:.2g}, where it diverges"
    assert sweep.suggestion is not None
    return f"it is least at {10 * sweep.suggestion.minimum_tenth:.2g}, and has risen there"
