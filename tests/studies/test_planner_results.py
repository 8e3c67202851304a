"""Regret, from results that can be reckoned by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.studies.planner import NAMES
from tests.studies.planner_results import (
    BEHIND,
    LAST,
    PLANNER,
    PUBLISHED,
    left_behind,
    means,
    regrets,
    regrets_without_hindsight,
    results,
    show,
)

STORED = Path(__file__).with_name("results") / "planner.jsonl"
RUNS = [
    ("a", 50, 0, {"head": 0.50, "full": 0.60, PLANNER: 0.50}),
    ("a", 50, 1, {"head": 0.56, "full": 0.54, PLANNER: 0.56}),
    ("b", 50, 0, {"head": 0.70, "full": 0.40, PLANNER: 0.705}),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    lines = [{"study": "planner", "date": "2026-01-01"}]
    for source, size, seed, runs in RUNS:
        lines += [
            {
                "source": source,
                "size": size,
                "seed": seed,
                "strategy": name,
                "picked_by": {LAST: accuracy, "score": 1 - accuracy},
            }
            for name, accuracy in runs.items()
        ]
    path = tmp_path / "results.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def test_regret_is_of_the_mean_over_seeds(file: Path) -> None:
    accuracy = means(results(file))
    assert accuracy["a", 50] == pytest.approx({"head": 0.53, "full": 0.57, PLANNER: 0.53})
    assert regrets(accuracy, PLANNER, ["head", "full"]) == pytest.approx({("a", 50): 0.04, ("b", 50): 0})
    assert regrets(accuracy, "full", ["head", "full"]) == pytest.approx({("a", 50): 0, ("b", 50): 0.3})


def test_a_strategy_that_lacks_a_seed_is_left_out_of_its_cell(file: Path) -> None:
    kept = [line for line in file.read_text().splitlines() if '"seed": 1, "strategy": "full"' not in line]
    file.write_text("\n".join(kept))
    accuracy = means(results(file))
    assert "full" not in accuracy["a", 50]
    assert "full" in accuracy["b", 50]


def test_another_way_of_picking_epochs_has_other_accuracies(file: Path) -> None:
    assert means(results(file, "score"))["b", 50]["full"] == pytest.approx(0.6)


def test_what_is_shown(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show(results(file), ["head", "full", "scratch"])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["head", "full", PLANNER, "regret"]
    assert rows[1] == ["a", "50", "53.0%", "57.0%", "53.0%", "4.0%"]
    assert rows[3] == ["regret,", "mean", "2.0%", "15.0%", "2.0%"]
    assert rows[5] == ["within", "one", "point", "50%", "50%", "50%"]


def test_hindsight_is_left_out_by_the_choice_of_the_other_seeds(file: Path) -> None:
    """On seed 1 `head` was best, on seed 0 `full`; cell b has no other seed."""
    found = results(file)
    assert regrets_without_hindsight(found, "head", ["head", "full"]) == pytest.approx({("a", 50): -0.01})
    assert regrets_without_hindsight(found, "full", ["head", "full"]) == pytest.approx({("a", 50): -0.05})


def test_what_is_far_behind_runs_on_no_further_seed_and_stays_so_far_behind(file: Path) -> None:
    found = results(file)
    assert left_behind(found, ("a", 50, 2), ["head", "full"], 3) == {"head": 4.0}
    assert left_behind(found, ("a", 50, 2), ["head", "full"], 5) == {}
    assert left_behind(found, ("b", 50, 0), ["head", "full"], 3) == {}, "its only seed is this one"
    seed = {"source": "a", "size": 50, "seed": 2}
    more = [
        {"strategy": "head", BEHIND: 4.0},
        {"strategy": "full", "picked_by": {LAST: 0.6}},
        {"strategy": PLANNER, "picked_by": {LAST: 0.5}},
    ]
    file.write_text(file.read_text() + "".join(f"{json.dumps(seed | line)}\n" for line in more))
    assert means(results(file))["a", 50] == pytest.approx({"head": 0.52, "full": 0.58, PLANNER: 0.52})
    blind = regrets_without_hindsight(results(file), PLANNER, ["head", "full"])
    assert blind["a", 50] == pytest.approx(0.06)
    show(results(file), ["head", "full"])


def test_what_plan_says_costs_little() -> None:
    """Half a point on average, and a point at most in nine of ten cells. Of what is stored, every strategy in at least
    12 cells."""
    accuracy = means(results(STORED))
    found = list(regrets(accuracy, PLANNER, [*NAMES]).values())
    assert len(found) >= 12
    assert sum(found) / len(found) <= 0.005
    assert max(found) <= 0.01
    known = list(regrets_without_hindsight(results(STORED), PLANNER, [*NAMES]).values())
    assert len(known) == len(found)
    assert sum(regret <= 0.01 for regret in known) >= 0.9 * len(known)
    for name in set(NAMES) - {"full, norm train"}:
        assert len(regrets(accuracy, name, [*NAMES])) >= 12
    published = list(regrets(accuracy, PUBLISHED, [*NAMES]).values())
    assert sum(published) > 4 * sum(found), "what table M is for"


def test_stored_results_say_how_they_were_measured_and_are_whole() -> None:
    lines = [json.loads(line) for line in STORED.read_text().splitlines()]
    told = {"command", "date", "commit", "versions", "machine", "image_size"}
    assert told <= set(lines[0])
    assert {"torch", "timm"} <= set(lines[0]["versions"])
    for runs in results(STORED).values():
        same = runs[PLANNER].get("same_as", PLANNER)
        assert runs[same]["accuracy"] == runs[PLANNER]["accuracy"]
        assert max(run.get("accuracy", 0) for run in runs.values()) > 2 / runs[PLANNER]["classes"]
