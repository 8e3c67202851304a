"""Charts of values at the edges of what a scale can show."""

from __future__ import annotations

import pytest

from ftcli.report.html.svg import Chart, Line, figure


@pytest.mark.parametrize("other", [1e-3, 1e-3 * (1 + 1e-12), 2e-3, 0.1])
def test_an_lr_that_hardly_changes_is_a_line(other: float) -> None:
    """A constant one is not so to the last bit."""
    drawn = figure(Chart("LR", "", [Line("head", [(0.5, 1e-3), (1.5, other)])], 2.0, str, log=True))
    assert "nan" not in drawn
    assert "<polyline" in drawn
