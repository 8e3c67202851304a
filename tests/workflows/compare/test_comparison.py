"""Means, spread, curves and the crossover, from outcomes made by hand."""

from __future__ import annotations

import json
from math import log
from pathlib import Path
from typing import Any

import pytest

from ftcli.plans.study import Failure, Finished, Outcome, Trial
from ftcli.report.compare import crossover_sentence, side_by_side
from ftcli.workflows.compare.comparison import Comparison, compare, crossing

KINDS = {"probe": (True, False), "full": (True, True), "lp_ft": (True, True), "scratch": (False, True)}


def outcome(variant: str, size: int, seed: int, score: float, **given: Any) -> Outcome:
    pretrained, trains_backbone = KINDS[variant]
    values: dict[str, Any] = {
        "run": f"runs/{variant}-n{size}-seed{seed}",
        "metric": "accuracy",
        "test": {"accuracy": score, "macro_f1": score / 2},
        "val": None,
        "trainable": 10,
        "parameters": 100,
        "epochs": 2,
        "images_seen": 2 * size,
        "training_flops": 1000 * size,
        "seconds": 1.0 + seed,
        "peak_memory": 500 + seed,
        **given,
    }
    return Outcome(
        variant=variant,
        seed=seed,
        num_train=size,
        pretrained=pretrained,
        trains_backbone=trains_backbone,
        **values,
    )


def done(variant: str, size: int, seed: int, score: float, **given: Any) -> Finished:
    trial = Trial(f"{variant}-n{size}-seed{seed}", variant, size, seed, ())
    return Finished(trial, outcome(variant, size, seed, score, **given))


def curves(**scores: list[float]) -> Comparison:
    """A score for each of 100, 200, 400 ... images."""
    runs = [
        done(name, 100 * 2**place, 0, score)
        for name, values in scores.items()
        for place, score in enumerate(values)
    ]
    return compare("made", runs)


def test_mean_spread_and_costs_of_a_cell() -> None:
    scores = (0.6, 0.8, 0.7)
    found = compare("made", [done("full", 50, seed, score) for seed, score in enumerate(scores)])
    (cell,) = found.cells
    assert (cell.mean, cell.std) == (pytest.approx(0.7), pytest.approx(0.1))
    assert (cell.seeds, cell.scores) == ((0, 1, 2), scores)
    assert (cell.images_seen, cell.training_flops, cell.seconds, cell.peak_memory) == (100, 50_000, 2.0, 502)
    assert json.loads(json.dumps(found.to_dict()))["cells"][0]["std"] == pytest.approx(0.1)


def test_what_is_not_known_of_one_run_is_not_told_of_all() -> None:
    found = compare("made", [done("full", 50, 0, 0.5), done("full", 50, 1, 0.5, training_flops=None)])
    assert found.cells[0].training_flops is None


def test_the_metric_is_the_verdicts_where_all_have_the_same() -> None:
    alike = compare("made", [done("full", 50, seed, 0.8, metric="macro_f1") for seed in (0, 1)])
    assert (alike.metric, alike.cells[0].mean) == ("macro_f1", pytest.approx(0.4))
    mixed = compare("made", [done("full", 50, 0, 0.8, metric="macro_f1"), done("full", 50, 1, 0.8)])
    assert (mixed.metric, mixed.cells[0].mean) == ("accuracy", pytest.approx(0.8))


def test_the_crossover_lies_on_a_straight_line_over_the_logarithm() -> None:
    """At 200 scratch is 3 points behind, at 400 one ahead: three quarters of the way."""
    found = curves(full=[0.80, 0.85, 0.90], scratch=[0.50, 0.82, 0.91]).crossover
    assert found is not None
    assert found.reached
    assert found.num_train == pytest.approx(200 * 2**0.75)
    assert found.gap == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        ([-0.2, -0.1, -0.01], None),
        ([0.1, 0.2, 0.0], 100),
        ([0.1, -0.1, 0.1], 200 * 2**0.5),
        ([-0.1, 0.1, -0.1], None),
        ([-0.3, 0.0, 0.1], 200),
    ],
    ids=["never", "from the first", "for good", "not for good", "on a size"],
)
def test_crossings(gaps: list[float], expected: float | None) -> None:
    found = crossing([100, 200, 400], gaps)
    assert (found is None) == (expected is None)
    assert found is None or log(found) == pytest.approx(log(expected or 0))


def test_scratch_is_held_against_the_best_fine_tuned_of_each_size() -> None:
    found = curves(full=[0.8, 0.7], lp_ft=[0.6, 0.9], probe=[0.95, 0.95], scratch=[0.7, 0.85]).crossover
    assert found is not None
    assert not found.reached
    assert found.gap == pytest.approx(-0.05)
    assert (found.tuned, found.scratch) == (("full", "lp_ft"), ("scratch",))


def test_of_perplexity_less_is_better() -> None:
    """The best, its place, the envelope of the fine-tuned and the crossover: all of them turn round."""

    def of(name: str, place: int, value: float) -> Finished:
        scores = {"accuracy": 0.5, "perplexity": value}
        return done(name, 100 * 2**place, 0, 0.5, metric="perplexity", test=scores)

    curves = {"full": [40.0, 20.0], "lp_ft": [30.0, 25.0], "scratch": [90.0, 18.0]}
    found = compare(
        "made", [of(name, at, v) for name, values in curves.items() for at, v in enumerate(values)]
    )
    assert found.metric == "perplexity"
    assert [cell.variant for cell in found.finalists] == ["scratch", "full", "lp_ft"]
    assert found.best == "scratch"
    assert found.crossover is not None
    assert found.crossover.gap == pytest.approx(2.0)
    assert found.crossover.num_train == pytest.approx(100 * 2 ** (60 / 62))
    worse = {"full": [9.0, 8.0], "scratch": [20.0, 10.5]}
    behind = compare(
        "made", [of(name, at, v) for name, values in worse.items() for at, v in enumerate(values)]
    )
    assert crossover_sentence(behind).endswith("it is 2.50 of perplexity behind at 200")
    assert side_by_side(behind)[1][0][:3] == ("full", "8.00", "-")


def test_where_nothing_fine_tunes_it_is_the_probe() -> None:
    found = curves(probe=[0.8, 0.8], scratch=[0.7, 0.9]).crossover
    assert found is not None
    assert found.tuned == ("probe",)
    assert found.num_train == pytest.approx(100 * 2**0.5)


def test_without_both_sorts_or_two_sizes_there_is_no_crossover() -> None:
    assert curves(full=[0.8, 0.9], probe=[0.8, 0.9]).crossover is None
    assert curves(full=[0.8], scratch=[0.9]).crossover is None


def test_failed_runs_leave_a_gap_and_are_there() -> None:
    failed = Finished(Trial("full-n100-seed1", "full", 100, 1, ()), failure=Failure("boom", None, None, 20))
    missing = Finished(Trial("full-n100-seed2", "full", 100, 2, ()))
    found = compare("made", [done("full", 100, 0, 0.9), failed, missing])
    assert found.cells[0].seeds == (0,)
    assert found.failed == (failed,)
    assert [run["state"] for run in found.to_dict()["runs"]] == ["done", "failed", "missing"]
    nothing = compare("made", [failed])
    assert (nothing.cells, nothing.best, nothing.crossover) == ((), None, None)


def kept(folder: Path, right: str) -> str:
    """A run folder whose predictions are right where there is a `+`."""
    folder.mkdir()
    lines = [f"{number},a,{'a' if letter == '+' else 'b'},0.9" for number, letter in enumerate(right)]
    (folder / "test_predictions.csv").write_text(
        "\n".join(["name,label,predicted,confidence", *lines]) + "\n"
    )
    return str(folder)


def test_the_best_is_compared_with_each_other_image_by_image(tmp_path: Path) -> None:
    found = compare(
        "made",
        [
            done("full", 50, 0, 0.9, run=kept(tmp_path / "a", "+++++++++-")),
            done("probe", 50, 0, 0.4, run=kept(tmp_path / "b", "+++------+")),
            done("scratch", 50, 0, 0.9, run=str(tmp_path / "none")),
            done("lp_ft", 50, 1, 0.2, run=kept(tmp_path / "c", "---------")),
        ],
    )
    assert found.best == "full"
    (pair,) = found.paired
    assert (pair.other, pair.only_best, pair.only_other) == ("probe", 6, 1)
    assert pair.p == pytest.approx(2 * (1 + 7) / 2**7)
    assert found.unpaired == ("scratch", "lp_ft"), "no predictions kept; other test examples"


def test_runs_are_paired_by_their_seeds(tmp_path: Path) -> None:
    """A single one on each side whatever its seed; of several those that both have."""
    one, other = kept(tmp_path / "one", "++++"), kept(tmp_path / "other", "+---")
    single = compare("made", [done("full", 50, 0, 0.9, run=one), done("probe", 50, 7, 0.4, run=other)])
    assert [pair.num_pairs for pair in single.paired] == [1]
    several = [done("full", 50, seed, 0.9, run=one) for seed in (0, 1, 2)]
    found = compare("made", [*several, *(done("probe", 50, seed, 0.4, run=other) for seed in (1, 2, 3))])
    (pair,) = found.paired
    assert (pair.num_pairs, pair.num_images, pair.only_best) == (2, 4, 6)


def test_sizes_of_all_are_one_column_whatever_each_seed_leaves() -> None:
    def of(variant: str, num_train: int, seed: int) -> Finished:
        return Finished(
            Trial(f"{variant}{seed}", variant, "all", seed, ()), outcome(variant, num_train, seed, 0.5)
        )

    found = compare("made", [of("full", 101, 0), of("full", 103, 1), of("probe", 101, 0)])
    assert found.num_trains == (102,)
    assert found.at("probe", 102) is not None


def test_runs_of_one_size_each_stand_side_by_side() -> None:
    """Two folders that trained on other numbers of images: neither is left out, and there is no curve."""
    found = compare("runs", [done("full", 100, 0, 0.6), done("probe", 90, 0, 0.7)])
    assert [(cell.variant, cell.num_train) for cell in found.finalists] == [("probe", 90), ("full", 100)]
    assert (found.best, found.unpaired, found.has_curves) == ("probe", ("full",), False)


def test_where_there_are_curves_their_ends_stand_side_by_side() -> None:
    found = curves(full=[0.6, 0.7], probe=[0.8])
    assert [(cell.variant, cell.num_train) for cell in found.finalists] == [("full", 200)]
    assert (found.best, found.has_curves) == ("full", True)
