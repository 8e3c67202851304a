"""The curves of stages, a line each: where they fall, where they end, and that names from elsewhere are harmless."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import pytest

from ftcli.plans.lr_sweep import LrSweep
from ftcli.report.console import console_for, show
from ftcli.report.lr_find import lr_view
from ftcli.report.lr_strips import LEVELS, NAME, WIDTH, strips
from tests.plans.test_lr_sweep import curve, sweep

WHOLE = sweep(curve())
STAGE = replace(WHOLE, stage="layer4", reference=(2.0,) * 101)
CALM = replace(STAGE, stage="stem", losses=STAGE.reference or ())


def lines(*sweeps: LrSweep) -> list[str]:
    stream = io.StringIO()
    show(console_for(stream), strips(sweeps))
    return stream.getvalue().splitlines()


def test_a_stage_that_learns_falls_and_ends_where_it_diverges() -> None:
    row, axis, told = lines(STAGE)
    assert row.startswith("layer4 ")
    drawn = row[NAME + 1 :]
    assert STAGE.diverges_at is not None
    reached = math.log10(STAGE.diverges_at / STAGE.lrs[0]) / 8 * (WIDTH - 1)
    assert drawn.endswith("x")
    assert len(drawn) == pytest.approx(reached + 1, abs=1.5)
    assert LEVELS[0] in drawn
    assert LEVELS.index(drawn[0]) > 3
    assert axis.index("1e-7") == NAME + 1
    assert told.startswith(f"{LEVELS[0]} is a loss of ")


def test_stages_share_one_scale() -> None:
    _, calm, *_ = lines(STAGE, CALM)
    levels = {*calm[NAME + 1 :]}
    assert len(levels) == 1
    assert levels.isdisjoint({LEVELS[0], LEVELS[-1], "x", " "}), "neither the least nor the highest of both"


@pytest.mark.parametrize("losses", [(2.0, math.nan), (2.0, 2.0), (2.0, math.inf)])
def test_the_shortest_tests_can_be_shown(losses: tuple[float, ...]) -> None:
    assert len(lines(replace(STAGE, losses=losses))) == 3


def test_a_long_name_is_cut_and_harmless() -> None:
    page = lines(replace(STAGE, stage="a stage with a long [bold]name[/bold] \x1b[2J"))
    assert max(map(len, page)) <= 80
    assert "\x1b" not in "".join(page)


def test_the_page_has_them_only_where_stages_were_tried() -> None:
    def page(*sweeps: LrSweep) -> str:
        stream = io.StringIO()
        show(console_for(stream), lr_view(sweeps, []))
        return stream.getvalue()

    assert "is a loss of" in page(WHOLE, STAGE)
    assert "is a loss of" not in page(WHOLE)


def test_a_stage_without_a_number_hides_no_other() -> None:
    lost = replace(STAGE, stage="stem", losses=(math.nan, math.nan, math.nan))
    assert lines(lost, STAGE)[1].split()[0] == "layer4"
    assert lines(lost)[-1].startswith(f"{LEVELS[0]} is a loss of ")
    assert "nan" not in lines(lost)[-1]
