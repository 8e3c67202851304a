"""The benchmarks of speed measure what they say: their images, their arithmetic, and ftcli's side of a row."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.speed import tools
from tests.benchmarks.speed.launch import launch
from tests.benchmarks.speed.machine import ROOT
from tests.benchmarks.speed.make_images import MADE, Wanted, make_images, read_source
from tests.benchmarks.speed.results import Results, judge, measured, ratio, reached, standard_error, summary
from tests.benchmarks.speed.scale import growth, points
from tests.benchmarks.speed.study import APART
from tests.benchmarks.speed.tables import as_markdown, goals_table, markdown, work_table
from tests.benchmarks.speed.tools import Workplace, perform, recipe_of
from tests.benchmarks.speed.works import (
    BF16,
    COMPARE,
    FASTAI,
    FOUR,
    FP32,
    FTCLI,
    FULL,
    QUICK,
    TIMM,
    TINY,
    WORKS,
    Goal,
    Tool,
    Work,
    works_of,
)

COUNTS = {"train": 20, "val": 10, "test": 10}
FEW = {"train": 10, "val": 2, "test": 2}
GOAL = Goal("a probe, vs timm-style", FTCLI, TIMM, 10, 20)
WORK = Work("probe", "A probe", (FTCLI, FP32, TIMM), (GOAL,), val=100)
ABOUT = {"commit": "abc", "date": "today", "command": "make", "threads": 1, "source": "digits"}
MACHINE = {"cpu": "a", "cores": 1, "flags": [], "ram_gib": 1, "system": "b", "python": "3"}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def results_of(path: Path, *runs: tuple[Tool, float, float]) -> Results:
    """Runs of WORK: tool, seconds, accuracy; a tool's first is its repetition 0."""
    results = Results(path / "speed.json", ABOUT | {"machine": MACHINE})
    for tool, seconds, accuracy in runs:
        record = {"status": "ok", "fit_seconds": seconds, "whole_seconds": seconds + 1, "accuracy": accuracy}
        results.add(WORK, tool, len(results.of(WORK, tool)), record)
    return results


@pytest.mark.parametrize("kind", ["photos", "fashion"])
def test_images_are_the_same_for_the_same_seed(kind: str, tmp_path: Path) -> None:
    source = read_source(None)
    one, other = (make_images(tmp_path / name, Wanted(kind, FEW), source) for name in "ab")
    assert contents(one) == contents(other)
    third = make_images(tmp_path / "c", Wanted(kind, FEW, seed=1), source)
    assert contents(third).keys() == contents(one).keys()
    assert contents(third) != contents(one)
    assert len(list((one / "train").rglob("*.jpg"))) == 10
    assert {len(list(folder.iterdir())) for folder in (one / "train").iterdir()} == {1}


def test_images_are_made_once_and_anew_when_others_are_wanted(tmp_path: Path) -> None:
    source, wanted = read_source(None), Wanted("fashion", COUNTS, size=32)
    make_images(tmp_path / "a", wanted, source)
    mark = (tmp_path / "a" / MADE).stat().st_mtime_ns
    make_images(tmp_path / "a", wanted, source)
    assert (tmp_path / "a" / MADE).stat().st_mtime_ns == mark
    make_images(tmp_path / "a", replace(wanted, size=40), source)
    assert json.loads((tmp_path / "a" / MADE).read_text())["pixels"] == [40, 40]


def test_the_source_says_that_it_is_digits() -> None:
    assert read_source(None).name == "digits of scikit-learn"


def test_medians_and_spread() -> None:
    assert summary([]) is None
    found = summary([3, 1, 8])
    assert found is not None
    assert (found.middle, found.low, found.high, found.count) == (3, 1, 8, 3)


def test_a_ratio_is_of_medians_and_its_spread_of_pairs() -> None:
    found = ratio({0: 10.0, 1: 20.0, 2: 30.0}, {0: 1.0, 1: 2.0, 2: 1.5})
    assert found is not None
    assert (found.middle, found.low, found.high) == (20 / 1.5, 10, 20)
    assert ratio({}, {0: 1.0}) is None


def test_runs_that_failed_are_not_measured() -> None:
    runs = [{"repetition": 0, "status": "ok", "fit_seconds": 2.0}, {"repetition": 1, "status": "failed"}]
    assert measured(runs, "fit_seconds") == {0: 2.0}
    assert measured(runs, "peak_mib") == {}


@pytest.mark.parametrize(("value", "said"), [(9.9, "no"), (10, "commit"), (20, "moonshot")])
def test_goals_reached(value: float, said: str) -> None:
    assert reached(value, GOAL) == said


def test_a_goal_is_judged_with_its_accuracy(tmp_path: Path) -> None:
    right = results_of(tmp_path, (FTCLI, 1, 0.80), (FP32, 3, 0.83), (TIMM, 15, 0.7))
    assert judge(GOAL, WORK, right).reached == "commit"
    assert standard_error(0.83, 100) == pytest.approx(0.0376, abs=1e-4)
    wrong = results_of(tmp_path, (FTCLI, 1, 0.78), (FP32, 3, 0.83), (TIMM, 15, 0.7))
    judged = judge(GOAL, WORK, wrong)
    assert judged.reached == "accuracy"
    assert "83.0% in fp32" in judged.why


def test_a_peer_that_is_missing_is_a_row(tmp_path: Path) -> None:
    results = results_of(tmp_path, (FTCLI, 1, 0.8))
    results.add(WORK, TIMM, 0, {"status": "missing", "why": "no module | named timm"})
    judged = judge(GOAL, WORK, results)
    assert (judged.reached, judged.ratio) == ("unknown", None)
    rows = {row[0]: row for row in work_table(WORK, results).rows}
    assert rows["timm-style"][-1] == "missing: no module | named timm"
    assert rows["ftcli, fp32"][-1] == "not run"
    text = as_markdown(work_table(WORK, results))
    assert "no module \\| named timm" in text


def test_the_whole_table(tmp_path: Path) -> None:
    results = results_of(tmp_path, (FTCLI, 1, 0.8), (FTCLI, 3, 0.8), (TIMM, 20, 0.7), (TIMM, 40, 0.7))
    text = markdown([WORK], results, FULL)
    assert "| a probe, vs timm-style | 15.0x | 13.3-20.0 | 10x | 20x | reached |" in text
    assert "| timm-style | 30 (20-40) | 31 (21-41) | 15.0 | 70.0% |" in text
    assert goals_table([WORK], results, QUICK).rows[0][-1] == "not judged"


def test_what_is_finished_is_kept_and_other_machines_are_put_aside(tmp_path: Path) -> None:
    results = results_of(tmp_path, (FTCLI, 1, 0.8))
    results.add(WORK, TIMM, 0, {"status": "failed", "why": "out of memory"})
    again = Results.opened(results.path, results.about | {"date": "tomorrow"})
    assert again.has(WORK, FTCLI, 0)
    assert not again.has(WORK, FTCLI, 1)
    assert not again.has(WORK, TIMM, 0)  # what failed is tried again
    other = Results.opened(results.path, results.about | {"commit": "def"})
    assert other.runs == []
    assert (tmp_path / "before.json").exists()


def test_every_work_has_names_of_its_own_and_its_goals_are_of_its_tools() -> None:
    for form in (FULL, QUICK):
        works = works_of(form)
        assert len({work.name for work in works}) == len(works)
    for work in WORKS:
        assert len({tool.name for tool in work.tools}) == len(work.tools)
        assert {tool.name for goal in work.goals for tool in (goal.ours, goal.peer)} <= {
            tool.name for tool in work.tools
        }


def test_a_form_with_other_repetitions_is_still_that_form() -> None:
    for form in (FULL, QUICK, TINY):
        assert works_of(replace(form, repetitions=7)) == works_of(form)


def test_growth_is_the_power() -> None:
    assert growth((1000, 4000), (1.0, 4.0)) == pytest.approx(1)
    assert growth((1000, 4000), (3.0, 3.0)) == pytest.approx(0)
    assert growth((0, 3), (1.0, 2.0)) is None


def test_scale_measures_ftcli_where_no_peer_is_installed(tmp_path: Path) -> None:
    axes = ["--images", "20", "--sizes", "32", "--epochs", "1", "--stages", "0", "1"]
    places = ["--out", str(tmp_path), "--peers", str(tmp_path / "none"), "--threads", "1"]
    command = [sys.executable, "-m", "tests.benchmarks.speed.scale", *axes, *places]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    runs = json.loads((tmp_path / "scale" / "scale.json").read_text())["runs"]
    assert {(run["tool"], run["status"]) for run in runs} == {("ftcli", "ok"), ("timm-style", "missing")}
    assert len({run["work"] for run in runs if run["status"] == "ok"}) == 2
    assert all(run["peak_mib"] > 100 and run["cache_mib"] > 0 for run in runs if run["status"] == "ok")


def test_axes_share_their_first_point() -> None:
    found = list(points([100, 200], [32, 64], [1], [0, 2]))
    assert [(p.axis, p.value) for p in found[:4]] == [
        ("images", 100),
        ("images", 200),
        ("size", 32),
        ("size", 64),
    ]
    assert len({p.work.name for p in found}) == 4


def test_a_process_is_measured_and_ended_when_it_is_late(tmp_path: Path) -> None:
    code = "import time; x = bytearray(50 << 20); x[::4096] = b'1' * len(x[::4096]); time.sleep(0.6); print('{}')"
    ended = launch([sys.executable, "-c", code], {}, tmp_path / "log", samples_memory=True)
    assert (ended.code, ended.timed_out, ended.stdout) == (0, False, "{}\n")
    assert ended.seconds > 0.5
    assert ended.peak_mib is not None
    assert 50 < ended.peak_mib < 120
    late = launch([sys.executable, "-c", "import time; time.sleep(60)"], {}, tmp_path / "late", limit=0.3)
    assert late.timed_out


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    weights = tmp_path / "weights"
    made = Workplace(
        tmp_path / "scratch", tmp_path / "logs", weights, Path(sys.executable), tmp_path / "none", 1
    )
    made._known["ftcli"] = {"versions": {}}  # to ask for them takes a process
    return made


def test_a_peer_that_is_not_installed_is_told(place: Workplace) -> None:
    record = perform(place, WORK, FASTAI, None, None)
    assert record["status"] == "missing"
    assert "make bench-venv" in record["why"]


def test_a_recipe_of_each_work_is_right(tmp_path: Path) -> None:
    from ftcli.api import load_recipe

    for work in WORKS:
        if work.kind != "help":
            recipe = load_recipe(recipe_of(work, tmp_path, tmp_path / "w.pth"))
            assert recipe.train.epochs == work.epochs


@pytest.fixture
def tiny(tmp_path: Path) -> tuple[Work, Path, Path]:
    """The smallest work, its images and its weights."""
    import torch
    from torchvision.models import resnet18

    weights = tmp_path / "resnet18.pth"
    torch.save(resnet18().state_dict(), weights)
    data = make_images(tmp_path / "images", Wanted("fashion", COUNTS, size=32), read_source(None))
    return replace(WORK, size=32, train=20, val=10, epochs=1, batch_size=10), data, weights


@pytest.mark.slow
def test_ftcli_does_a_work(place: Workplace, tiny: tuple[Work, Path, Path]) -> None:
    """A whole run, in a process of its own, on weights from a file."""
    work, data, weights = tiny
    record = perform(place, work, FTCLI, data, weights)
    assert record["status"] == "ok", record
    assert record["images_seen"] == 20
    assert 0 < record["fit_seconds"] < record["whole_seconds"]
    assert {"accuracy", "step_seconds", "cache_mib", "versions"} <= record.keys()


def test_an_option_that_ftcli_does_not_have_is_told(place: Workplace, tiny: tuple[Work, Path, Path]) -> None:
    work, data, weights = tiny
    unknown = perform(place, work, Tool("ftcli", recipe=("augment.no_such_option=4",)), data, weights)
    assert unknown["status"] == "unsupported"
    assert "no_such_option" in unknown["why"]


def test_bf16_is_not_measured_where_it_is_imitated(
    place: Workplace, tiny: tuple[Work, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    work, data, weights = tiny
    monkeypatch.setattr(tools, "has_bf16", lambda: False)
    record = perform(place, work, BF16, data, weights)
    assert (record["status"], "bf16" in record["why"]) == ("unsupported", True)


@pytest.mark.slow
@pytest.mark.parametrize("tool", [COMPARE, FOUR])
def test_four_strategies_in_one_study_or_apart(
    place: Workplace, tiny: tuple[Work, Path, Path], tool: Tool
) -> None:
    work, data, weights = tiny
    record = perform(place, replace(work, kind="study", epochs=2), tool, data, weights)
    assert record["status"] == "ok", record
    assert {name.partition("-")[0] for name in record["test_accuracies"]} == set(APART)
    assert {"whole_seconds", "accuracy", "versions"} <= record.keys()
