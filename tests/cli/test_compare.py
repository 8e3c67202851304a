"""`ftcli compare`: a study from the command line, its exit codes, and runs that are there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

SHORT = ("--set", "train.epochs=2", "--set", "data.audit=off")


@pytest.fixture(scope="module")
def study(ftcli, toy, tmp_path_factory) -> Path:  # type: ignore[no-untyped-def]
    """A study of two runs, one of which fails."""
    path: Path = tmp_path_factory.mktemp("study") / "sizes"
    text = (toy.path / "toy.yaml").read_text()
    text = text.replace("digits", str(toy.path / "digits")).replace("start.", f"{toy.path}/start.")
    recipe = path.parent / "toy.yaml"
    recipe.write_text(text)
    ended = ftcli("compare", recipe, *SHORT, "--strategies", "probe,gradual", "--out", path)
    assert ended.code == 7, ended.err
    (path.parent / "out.txt").write_text(ended.out)
    (path.parent / "err.txt").write_text(ended.err)
    return path


def test_runs_are_told_as_they_end_and_the_table_at_last(study: Path) -> None:
    err = (study.parent / "err.txt").read_text().splitlines()
    assert err[0].startswith("  warning: gradual: will fail: ")
    assert err[1] == "run 1 of 2: probe"
    assert "run 2 of 2: gradual" in err
    assert any(
        line.startswith("  failed, exit 2: the recipe has a problem; train.epochs: 2 epochs") for line in err
    )
    assert "error: 1 of 2 runs failed, gradual first" in err
    out = (study.parent / "out.txt").read_text()
    assert "1 of 2 runs failed" in out
    assert [line.split()[0] for line in out.splitlines() if "iB" in line] == ["probe"]
    assert max(len(line) for line in out.splitlines()) <= 80


def test_a_study_is_shown_again_and_as_json(study: Path, ftcli) -> None:  # type: ignore[no-untyped-def]
    again = ftcli("compare", study)
    assert (again.code, again.out) == (7, (study.parent / "out.txt").read_text())
    told = ftcli("compare", study, "--json")
    assert told.code == 7
    assert told.json == json.loads((study / "study.json").read_text())
    assert [run["state"] for run in told.json["runs"]] == ["done", "failed"]
    assert "1 of 2 runs failed" in told.err


def test_its_page(study: Path, ftcli) -> None:  # type: ignore[no-untyped-def]
    """Of the run that is complete; `ftcli report` makes it again, with the one that failed beside it."""
    page = study / "report.html"
    assert "<h1>1 run</h1>" in page.read_text(encoding="utf-8")
    ended = ftcli("report", study, "--json")
    assert ended.json["report"] == str(page)
    assert all(str(study / "runs") in run for run in ended.json["runs"])
    count = len(ended.json["runs"])
    assert f"<h1>{count} run{'s side by side' if count > 1 else ''}</h1>" in page.read_text(encoding="utf-8")


def test_runs_that_are_there(study: Path, toy, ftcli, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(toy.path)
    ended = ftcli("compare", study / "runs" / "probe", toy.run, "--json")
    assert ended.code == 0, ended.err
    cells = {cell["variant"]: cell for cell in ended.json["cells"]}
    assert cells.keys() == {"probe", "toy"}
    assert cells["toy"]["scores"] == [toy.summary["test"]["accuracy"]]
    assert cells["toy"]["images_seen"] == 5 * cells["toy"]["num_train"]
    (pair,) = ended.json["paired"]
    assert pair["num_images"] == toy.summary["test"]["num_examples"]
    shown = ftcli("compare", study / "runs" / "probe", toy.run)
    assert "McNemar" in shown.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("toy.yaml",), "one run alone is nothing to compare"),
        (("toy.yaml", "--strategies", "prob,full"), "there is no strategy 'prob'"),
        (("toy.yaml", "--sizes", "1,2"), "'1' is neither a number of training examples nor all"),
        (("toy.yaml", "--vary", "optimizer.lr=abc,1"), "optimizer.lr: expected a number, got 'abc'"),
        (("toy.yaml", "--vary", "optimizer.lx=1,2"), "--vary optimizer.lx=1: optimizer.lx: there is no 'lx'"),
        (("toy.yaml", "--vary", "optimiser.lr=1,2"), "did you mean 'optimizer'"),
        (("toy.yaml", "toy.yaml"), "this is a file among several"),
        (("empty",), "one run alone is nothing to compare"),
        (("empty", "empty", "--seeds", "0,1"), "are for a recipe"),
        (("nowhere.yaml", "--seeds", "0,1"), "there is no recipe nowhere.yaml"),
    ],
)
def test_what_cannot_be(ftcli, place: Path, arguments: tuple[str, ...], message: str) -> None:  # type: ignore[no-untyped-def]
    (place / "empty").mkdir()
    ended = ftcli("compare", *arguments)
    assert ended.code in (2, 3)
    assert message in " ".join(ended.err.split())
    assert sorted(path.name for path in place.iterdir()) == ["empty", "toy.yaml"]


def test_a_study_that_is_stopped_says_how_to_go_on(ftcli, place: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    from ftcli.errors import StoppedBySystem
    from ftcli.workflows.compare import run_study

    def stop(*_: object) -> None:
        raise StoppedBySystem("stopped; 1 of 4 runs are finished", where="studies/toy")

    monkeypatch.setattr(run_study, "run_study", stop)
    options = (
        "--strategies",
        "probe,full",
        "--vary",
        "augment={kind: light, flip: false},none",
        "--set",
        "seed=3",
    )
    ended = ftcli("compare", "toy.yaml", *options, "--json")
    assert ended.code == 143
    assert ended.json["error"]["where"] == "studies/toy"
    assert ended.json["error"]["remedy"] == (
        "to go on: ftcli compare toy.yaml --strategies probe,full "
        "--vary 'augment={kind: light, flip: false},none' --set seed=3"
    )
