"""`ftcli train --fold` and `--folds`: run folders, table and JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

SHORT = ("--set", "train.epochs=2", "--set", "data.split.folds=2")


@pytest.fixture
def run_two(ftcli, place):  # type: ignore[no-untyped-def]
    return ftcli("train", "toy.yaml", *SHORT, "--folds")


def test_every_fold_has_its_folder_and_the_table_its_spread(run_two, place: Path, ftcli) -> None:
    assert run_two.code == 0, run_two.err
    assert sorted(path.name for path in (place / "runs").iterdir()) == ["toy-fold0", "toy-fold1"]
    lines = {line.split()[0]: line for line in run_two.out.splitlines() if line.split()}
    assert "runs/toy-fold1" in run_two.out
    assert lines["mean"].count("%") == lines["spread"].count("%") == 3

    told = ftcli("train", "toy.yaml", *SHORT, "--folds", "--resume", "--json")
    assert told.code == 0, told.err
    pooled = told.json["pooled"]
    low, high = (f"{100 * bound:.1f}" for bound in pooled["intervals"]["accuracy"])
    assert f"{pooled['accuracy']:.1%} ({low}-{high})" in run_two.out
    assert f"{pooled['num_examples']} examples" in run_two.out
    assert [fold["run"] for fold in told.json["folds"]] == ["runs/toy-fold0", "runs/toy-fold1"]
    mean = told.json["test"]["accuracy"]["mean"]
    assert f"{mean:.1%}" in lines["mean"]
    evaluated = ftcli("evaluate", "runs/toy-fold1", "--json")
    assert evaluated.json["accuracy"] == told.json["folds"][1]["test"]["accuracy"]


def test_the_plan_is_told_once_and_the_header_of_epochs_for_each_fold(run_two) -> None:
    assert run_two.err.count("Training plan") == 1
    lines = run_two.err.splitlines()
    assert [line for line in lines if line.startswith("fold ")] == [
        f"fold {k} of 2, counted from 0" for k in (0, 1)
    ]
    assert sum(line.split()[:2] == ["epoch", "phase"] for line in lines) == 2
    assert sum(line.startswith("run folder ") for line in lines) == 2
    assert "counted from 0" in run_two.err
    second = lines[lines.index("fold 1 of 2, counted from 0") :]
    assert any("split fold 1 of 2" in line for line in second), "which images validate is the fold's own"


def test_a_number_of_folds_that_nobody_gave_is_told(ftcli, place: Path) -> None:
    ended = ftcli(
        "train", "toy.yaml", "--set", "train.epochs=1", "--fold", "4", "--json", "--set", "strategy=full"
    )
    assert ended.code == 0, ended.err
    assert "so there are 5" in ended.err


def test_one_fold_by_its_number(ftcli, place: Path) -> None:
    ended = ftcli("train", "toy.yaml", *SHORT, "--fold", "1", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["run"] == "runs/toy-fold1"
    assert "split fold 1 of 2" in " ".join(ended.err.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--folds", "--fold", "0"), "give one of the two"),
        (("--fold", "2"), "there is no fold 2: there are 2, counted from 0 --fold 2 give --fold 0 to 1"),
        (("--folds", "--set", "data.split.by=time"), "train on what came later"),
    ],
)
def test_what_cannot_be(ftcli, place: Path, arguments: tuple[str, ...], message: str) -> None:
    ended = ftcli("train", "toy.yaml", *SHORT, *arguments)
    assert ended.code == 2
    assert message in " ".join(ended.err.split())
    assert not (place / "runs").exists()
