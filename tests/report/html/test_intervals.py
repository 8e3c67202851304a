"""Scores on one axis, with their names beside it."""

from __future__ import annotations

import re
from dataclasses import replace

from ftcli.report.html.intervals import Spot, spots_figure

SPOT = Spot("probe-n24-seed0", 0.5, (0.4, 0.6))


def test_names_beside_scores_do_not_stick_out() -> None:
    left, _ = re.findall(r'<text x="([0-9.]+)"[^>]*>probe-n24-seed0<', spots_figure("s", [SPOT, SPOT]))
    assert float(left) >= 7.5 * len(SPOT.name)
    assert "luckiest-v..-n24-seed0" in spots_figure(
        "s", [SPOT, replace(SPOT, name="luckiest-variant-of-all-n24-seed0")]
    )
