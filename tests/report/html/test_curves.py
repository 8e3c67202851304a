"""The charts: round ticks, LRs as they were, gaps where there is no number."""

from __future__ import annotations

import re
from dataclasses import replace
from math import isfinite, nan

import pytest

from ftcli.report.html.curves import lr_lines, score_chart
from ftcli.report.html.phases import performed
from ftcli.report.html.svg import Chart, Line, figure, ticks
from tests.report.html.run_samples import epoch, record
from tests.report.report_samples import plan


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.713, 0.84, [0.725, 0.75, 0.775, 0.8, 0.825]),
        (3, 47, [10, 20, 30, 40]),
    ],
)
def test_ticks_are_round(low: float, high: float, found: list[float]) -> None:
    assert ticks(low, high) == found


def chart(*points: tuple[float, float], log: bool = False) -> str:
    return figure(Chart("Loss", "told", (Line("train", points),), 4, "{:g}".format, log=log))


def test_a_point_alone_is_drawn() -> None:
    assert chart((0.5, 1.0)).count("<circle") == 1


def test_nothing_to_draw_is_no_chart() -> None:
    assert chart((0.5, nan)) == ""
    assert chart((0.5, 0.0), log=True) == ""


def test_a_gap_divides_a_line() -> None:
    assert chart((0.5, 1.0), (1.5, nan), (2.5, 2.0)).count("<polyline") == 2


def test_higher_is_further_up_and_later_further_right() -> None:
    (points,) = re.findall(r'points="([^"]*)"', chart((0.5, 1.0), (1.5, 2.0)))
    (x1, y1), (x2, y2) = (map(float, point.split(",")) for point in points.split())
    assert x2 > x1
    assert y2 < y1


def test_the_lr_of_a_stage_is_that_of_its_steps() -> None:
    """The last step of each epoch has what the epoch says; a stage that is frozen has none."""
    run = record()
    assert run.plan is not None
    lines = {line.name: line for line in lr_lines(run.plan, performed(run), run.epochs)}
    head = lines["head"]
    steps = run.plan.steps_per_epoch
    at = dict(head.points)
    for row in run.epochs:
        assert at[row.epoch + (steps - 1) / steps] == pytest.approx(row.lr_head)
    (backbone,) = [line for name, line in lines.items() if "layer4" in name]
    assert min(x for x, y in backbone.points if isfinite(y)) == 2
    last = {x: y for x, y in backbone.points if isfinite(y)}
    assert last[5 + (steps - 1) / steps] == pytest.approx(run.epochs[5].lr_lowest)


def test_a_rollback_lowers_what_follows() -> None:
    run = record()
    assert run.plan is not None
    halved = (*run.epochs[:4], *(replace(row, lr_head=row.lr_head / 2) for row in run.epochs[4:]))
    before, after = (
        dict(lr_lines(run.plan, performed(run), epochs)[0].points) for epochs in (run.epochs, halved)
    )
    assert after[3.0] == before[3.0]
    assert after[4.0] == pytest.approx(before[4.0] / 2)


def test_stages_that_are_unfrozen_one_by_one_share_a_line_with_a_dot_each() -> None:
    made = plan({"kind": "gradual", "head_epochs": 1}, train={"epochs": 6})
    epochs = tuple(epoch(number, made, phase.name) for number, phase in enumerate(made.phases))
    run = replace(record(), plan=made, epochs=epochs)
    head, rest = lr_lines(made, performed(run), epochs)
    assert head.name == "head"
    assert [x for x, _ in rest.dots or ()] == [1, 2, 3, 4, 5]


def test_the_floor_is_in_the_chart_and_in_its_words() -> None:
    run = record()
    made = score_chart(run, performed(run))
    assert made.level == ("floor: accuracy of the linear probe", 0.7)
    assert "highest 70.0% in epoch 5" in made.told
    assert "linear probe has 70.0%" in made.told
