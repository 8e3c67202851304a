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
    assert "runs/toy-fold1" in lines["1"]
    assert lines["mean"].count("%") == lines["spread"].count("%") == 3

    told = ftcli("train", "toy.yaml", *SHORT, "--folds", "--resume", "--json")
    assert told.code == 0, told.err
    assert [fold["run"] for fold in told.json["folds"]] == ["runs/toy-fold0", "runs/toy-fold1"]
    mean = told.json["test"]["accuracy"]["mean"]
    assert f"{mean:.1%}" in lines["mean"]
    evaluated = ftcli("evaluate", "runs/toy-fold1", "--json")
    assert evaluated.json["accuracy"] == told.json["folds"][1]["test"]["accuracy"]


def test_one_fold_by_its_number(ftcli, place: Path) -> None:
    ended = ftcli("train", "toy.yaml", *SHORT, "--fold", "1", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["run"] == "runs/toy-fold1"
    assert "split fold 1 of 2" in " ".join(ended.err.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--folds", "--fold", "0"), "give one of the two"),
        (("--fold", "2"), "fold 2 is none of 2"),
        (("--folds", "--set", "data.split.by=time"), "train on what came later"),
    ],
)
def test_what_cannot_be(ftcli, place: Path, arguments: tuple[str, ...], message: str) -> None:
    ended = ftcli("train", "toy.yaml", *SHORT, *arguments)
    assert ended.code == 2
    assert message in " ".join(ended.err.split())
    assert not (place / "runs").exists()
