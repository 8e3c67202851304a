"""A range test on a page of 80 columns, as JSON, and as a PNG."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace

import pytest
from PIL import Image
from rich.console import RenderableType

from ftcli.plans.lr_sweep import LrSweep
from ftcli.report.console import console_for, show
from ftcli.report.lr_find import lr_json, lr_view
from ftcli.report.lr_plot import HEIGHT, WIDTH, plot
from ftcli.report.lr_png import COLOURS, lr_png
from tests.plans.test_lr_sweep import curve, sweep

WHOLE = sweep(curve())
STAGE = replace(WHOLE, stage="a stage with a long [bold]name[/bold] \x1b[2J", reference=(2.0,) * 101)


def lines(view: RenderableType) -> list[str]:
    stream = io.StringIO()
    show(console_for(stream), view)
    return stream.getvalue().splitlines()


def test_the_page() -> None:
    page = lines(lr_view([WHOLE, STAGE], []))
    assert max(map(len, page)) <= 80
    text = "\n".join(page)
    assert "\x1b" not in text
    (row,) = [line.split() for line in page if line.startswith("all (optimizer.lr)")]
    assert WHOLE.diverges_at is not None
    assert float(row[2]) == 1e-3
    assert float(row[-1]) == pytest.approx(WHOLE.diverges_at, rel=0.05)


def test_the_curve_has_a_point_in_every_column_that_was_reached() -> None:
    drawn = [line[10:].ljust(WIDTH) for line in lines(plot(WHOLE))[:HEIGHT]]
    reached = WHOLE.diverges_at
    assert reached is not None
    last = round(math.log10(reached / 1e-7) / 8 * (WIDTH - 1))
    counts = [sum(row[column] == "•" for row in drawn) for column in range(WIDTH)]
    assert counts[: last + 1] == [1] * (last + 1)
    assert counts[last + 2 :] == [0] * (WIDTH - last - 2)


def test_marks_stand_below_their_lr() -> None:
    page = lines(plot(replace(WHOLE, planned=10.0)))
    axis, marks = page[HEIGHT + 1], page[HEIGHT + 2 :]
    assert axis.index("1e-7") == 10
    assert any(row.endswith("^planned 1e1") for row in marks)
    assert sum("^valley" in row for row in marks) == sum("^diverges" in row for row in marks) == 1
    assert max(map(len, page)) <= 80


@pytest.mark.parametrize("losses", [(2.0, math.nan), (2.0, 2.0), (2.0, math.inf)])
def test_the_shortest_tests_can_be_shown(losses: tuple[float, ...]) -> None:
    short = replace(WHOLE, losses=losses)
    assert len(lines(lr_view([short], []))) > HEIGHT
    assert Image.open(io.BytesIO(lr_png([short]))).size[0] == 1200


def test_a_png_of_very_many_stages_leaves_names_out() -> None:
    stages = [replace(WHOLE, stage=f"layer.{number}") for number in range(600)]
    assert Image.open(io.BytesIO(lr_png([WHOLE, *stages]))).size == (1200, 620)


def test_json_has_no_nan() -> None:
    short = replace(WHOLE, losses=(2.0, 1.9, math.nan))
    (told,) = lr_json([short], [])["sweeps"]
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["losses"] == [2.0, 1.9, None]
    assert told["lrs"] == list(short.lrs[:2])
    assert told["diverges_at"] == short.lrs[1]


def test_the_png_has_a_panel_a_phase_and_a_line_a_stage() -> None:
    other: LrSweep = replace(WHOLE, phase="other")
    image = Image.open(io.BytesIO(lr_png([WHOLE, STAGE, other])))
    assert image.size == (1200, 1240)
    colours = {colour for _, colour in image.getcolors(1 << 20) or []}
    assert {tuple(bytes.fromhex(c[1:])) for c in COLOURS[:2]} <= colours
    assert tuple(bytes.fromhex(COLOURS[2][1:])) not in colours
