"""The table of what moved."""

from __future__ import annotations

from dataclasses import replace

from ftcli.plans.signals import StageDrift
from ftcli.report.summary import summary_view
from tests.report.report_samples import in_pipe
from tests.report.test_summary import RESULT, row

HEAD = StageDrift("head", 2.0)


def shown(*drift: StageDrift, width: int = 80) -> str:
    return in_pipe(summary_view(replace(RESULT, drift=drift)), width=width)


def test_a_row_a_stage_with_what_was_measured() -> None:
    text = shown(StageDrift("stem", 0.001, 0.0, 0.002), StageDrift("layer4", 0.421, None, None), HEAD)
    assert row(text, "moved") == ["moved", "by", "weights", "features", "BN", "stats"]
    assert row(text, "stem") == ["stem", "0.1%", "0.2%", "0.0%"]
    assert row(text, "layer4") == ["layer4", "42.1%", "-", "-"]
    assert "\nhead" not in text, "it began at random values"


def test_without_batch_norm_there_is_no_column_of_statistics() -> None:
    assert "BN stats" not in shown(StageDrift("blocks", 12.4, None, 0.5))
    assert row(shown(StageDrift("blocks", 12.4, None, 0.5)), "blocks") == ["blocks", "12x", "50.0%"]


def test_of_a_backbone_that_stayed_nothing_is_shown() -> None:
    assert "moved by" not in shown(StageDrift("stem", 0.0, 0.0), HEAD)


def test_of_very_many_stages_those_that_moved_most() -> None:
    text = shown(*(StageDrift(f"blocks.{n}", 0.01 * n) for n in range(12)), HEAD)
    assert "blocks.0 " not in text
    assert text.index("blocks.2") < text.index("blocks.11")
    assert "; 2 more stages" in text
