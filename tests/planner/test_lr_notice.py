"""What a range test says of a planned LR."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ftcli.planner.lr_notice import lr_findings
from tests.plans.test_lr_sweep import curve, sweep

MEASURED = sweep(curve())


@pytest.mark.parametrize("times", [1.01, 3.0, 100.0])
def test_above_the_limit(times: float) -> None:
    assert MEASURED.limit is not None
    (finding,) = lr_findings([replace(MEASURED, planned=times * MEASURED.limit)])
    assert (finding.rule, finding.severity) == ("lr-near-divergence", "warning")
    assert lr_findings([replace(MEASURED, planned=MEASURED.limit * 0.99)]) == ()


def test_the_limit_is_where_it_diverges_or_where_it_has_risen() -> None:
    """Falls up to 1e-2, then rises for a decade before it is lost; or is lost where it has not fallen at all."""
    assert MEASURED.suggestion is not None
    assert MEASURED.diverges_at is not None
    assert MEASURED.limit == min(20 * MEASURED.suggestion.minimum_tenth, MEASURED.diverges_at / 2)
    lost = replace(MEASURED, losses=(2.0,) * 50 + (90.0,))
    assert lost.limit == lost.diverges_at / 2 == MEASURED.lrs[49] / 2  # type: ignore[operator]
    (finding,) = lr_findings([replace(lost, planned=1e-2)])
    assert "where it diverges" in finding.message
    assert replace(MEASURED, losses=(2.0,) * 50).limit is None


def test_far_below_the_suggestion() -> None:
    assert MEASURED.suggestion is not None
    valley = MEASURED.suggestion.valley
    (finding,) = lr_findings([replace(MEASURED, planned=valley / 11)])
    assert (finding.rule, finding.severity) == ("lr-far-below-suggestion", "info")
    assert lr_findings([replace(MEASURED, planned=valley / 9)]) == ()


def test_a_stage_is_named() -> None:
    other = (2.0,) * 101
    (finding,) = lr_findings([replace(MEASURED, stage="layer1", reference=other, planned=1.0)])
    assert finding.where == "full, layer1"
