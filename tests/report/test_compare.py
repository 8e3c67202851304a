"""The page of a comparison: what it says, at any width, and the curves as characters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ftcli.plans.study import Failure, Finished, Trial
from ftcli.report.compare import compare_view, crossover_sentence
from ftcli.report.compare_plot import curves_plot
from tests.report.compare_samples import FOUND, cell
from tests.report.report_samples import in_pipe


@pytest.mark.parametrize("width", [80, 60, 40])
def test_every_number_is_there_at_any_width(width: int) -> None:
    text = in_pipe(compare_view(FOUND), width=width)
    assert "…" not in text
    rows = [line.split() for line in text.splitlines()]
    best = next(row for row in rows if row[:1] == ["scratch"])
    assert best[1:3] == ["96.0%", "1.4"], "the best comes first"
    for number in ("3.38M", "12,810", "6,400", "4.56T", "1 min 23 s", "987.0 MiB"):
        assert number in text
    assert "catches up with full, lr=1e-3 at about 690 training examples" in " ".join(text.split())
    assert max(len(line) for line in text.splitlines()) <= width
    assert ("c  scratch" in text) == (width > 63), "a plot is whole or not there"


def test_what_is_sure_and_what_is_not() -> None:
    lines = in_pipe(compare_view(FOUND)).splitlines()
    (probe,) = [line for line in lines if line.startswith("probe") and "to" in line]
    assert probe.split() == ["probe", "+23.0", "+22.0", "to", "+24.0", "30", "10", "<0.001"]
    (full,) = [line for line in lines if line.startswith("full") and "to" in line]
    assert full.split()[-1] == "0.500"


def test_means_of_different_seeds_are_told() -> None:
    assert "different seeds" not in in_pipe(compare_view(FOUND))
    changed = [replace(c, seeds=(0, 2)) if c.variant == "scratch" else c for c in FOUND.cells]
    told = " ".join(in_pipe(compare_view(replace(FOUND, cells=tuple(changed)))).split())
    assert "the means are of different seeds, each with a split of its own: scratch 0, 2;" in told


def test_curves_side_by_side() -> None:
    lines = in_pipe(compare_view(FOUND)).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("training examples"))
    assert lines[at].split() == ["training", "examples", "50", "200", "800"]
    assert lines[at + 4].split() == ["scratch", "20.0%", "±1.4", "60.0%", "±1.4", "96.0%", "±1.4"]


def test_the_plot_has_a_letter_for_each_point() -> None:
    lines = in_pipe(curves_plot(FOUND)).splitlines()
    drawn = [line.partition("│")[2] for line in lines if "│" in line]
    assert len(drawn) == 12
    assert drawn[0].rstrip().endswith("*"), "scratch and full end at one place"
    assert drawn[-1][0] == "c"
    assert sum(line.count("a") for line in drawn) == 3
    assert lines[13].split() == ["50", "200", "800"]
    assert lines[-1] == "c  scratch"


def test_sentences_of_the_crossover() -> None:
    assert FOUND.crossover is not None
    never = replace(FOUND.crossover, reached=False, num_train=None, gap=-0.034)
    assert crossover_sentence(replace(FOUND, crossover=never)).endswith("it is 3.4 points behind at 800")
    at_once = replace(FOUND.crossover, num_train=50.0, tuned=("full", "lp_ft"))
    assert crossover_sentence(replace(FOUND, crossover=at_once)).endswith(
        "the best fine-tuned variant from the smallest size on"
    )


def test_one_size_has_no_curve_and_failures_are_told() -> None:
    failed = Finished(Trial("full-seed1", "full", None, 1, ()), failure=Failure("[boom]", None, None, 20))
    one = replace(FOUND, cells=FOUND.cells[:1], crossover=None, runs=(failed,), paired=())
    text = in_pipe(compare_view(one))
    assert "Learning curves" not in text
    assert "full-seed1" in text
    assert "exit 20: [boom]" in text
    assert "no run is complete" in in_pipe(compare_view(replace(one, cells=())))


def test_runs_of_different_sizes_are_all_told() -> None:
    """Folders that were there: what each was trained on is a column, and there is no curve of one point."""
    cells = (cell("mine", 800, 0.9), cell("hers", 640, 0.8))
    text = in_pipe(compare_view(replace(FOUND, cells=cells, paired=(), crossover=None)))
    assert "2 variants, 2 seeds, 640 to 800 training examples" in text
    rows = [line.split() for line in text.splitlines()]
    assert [row[:2] for row in rows if row[:1] in (["mine"], ["hers"])][:2] == [
        ["mine", "800"],
        ["hers", "640"],
    ]
    assert "Learning curves" not in text
