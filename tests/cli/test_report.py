"""`ftcli report`, and the page that every run leaves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import pytest

from tests.cli.conftest import Ended, Toy

Call = Callable[..., Ended]


@pytest.fixture
def run(toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the toy's run, in an empty current directory; its data are where they were."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(toy.run, tmp_path / "toy", ignore=shutil.ignore_patterns("*.safetensors"))
    return Path("toy")


def test_a_run_leaves_its_page(toy: Toy) -> None:
    page = (toy.run / "report.html").read_text(encoding="utf-8")
    accuracy = f"{toy.summary['test']['accuracy']:.1%}"
    assert f"<dt>Test accuracy</dt><dd>{accuracy}" in page
    assert "Most confidently wrong" in page


def test_it_is_made_again_from_the_folder_alone(ftcli: Call, run: Path, toy: Toy) -> None:
    (run / "report.html").unlink()
    with chdir(toy.path):
        ended = ftcli("report", toy.run)
    assert (ended.code, ended.out, ended.err) == (0, f"{toy.run}/report.html\n", "")
    ended = ftcli("report", run, "--json")
    assert ended.json == {"report": "toy/report.html", "runs": ["toy"]}
    page = (run / "report.html").read_text(encoding="utf-8")
    lines = (run / "test_predictions.csv").read_text(encoding="utf-8").splitlines()[1:]
    wrong = sum(true != said for _, true, said, *_ in (line.split(",") for line in lines))
    assert page.count("data:image/png;base64,") == wrong > 0


def test_the_images_are_gone(ftcli: Call, run: Path, tmp_path: Path) -> None:
    recipe = run / "recipe.yaml"
    lines = recipe.read_text().splitlines()
    moved = [f"  path: {tmp_path}/elsewhere" if line.startswith("  path: ") else line for line in lines]
    recipe.write_text("\n".join(moved))
    assert ftcli("report", run).code == 0
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "none is shown" in page
    assert "data:image" not in page


def test_an_image_is_gone_or_spoilt(ftcli: Call, run: Path, toy: Toy, tmp_path: Path) -> None:
    shutil.copytree(toy.path / "digits", tmp_path / "digits")
    recipe = run / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace(str(toy.path / "digits"), str(tmp_path / "digits")))
    for number, image in enumerate(sorted((tmp_path / "digits").rglob("*.png"))):
        image.unlink() if number % 2 else image.write_bytes(b"no image")
    assert ftcli("report", run).code == 0
    assert "it is gone" in (run / "report.html").read_text(encoding="utf-8")


def test_several_side_by_side(ftcli: Call, run: Path) -> None:
    shutil.copytree(run, "other")
    ended = ftcli("report", run, "other")
    assert (ended.code, ended.out) == (0, "report.html\n")
    page = Path("report.html").read_text(encoding="utf-8")
    assert "2 runs side by side" in page
    assert "tested on the same examples" in page
    assert ftcli("report", run, "other").code == 0  # a page of ours is written anew
    assert ftcli("report", run, "other", "--out", "study.html").out == "study.html\n"


@pytest.mark.parametrize("content", ["<!doctype html><p>mine</p>", ""])
def test_a_page_of_somebody_else_stays(ftcli: Call, run: Path, content: str) -> None:
    Path("mine.html").write_text(content)
    ended = ftcli("report", run, "--out", "mine.html")
    assert ended.code == 3
    assert "--out" in ended.err
    assert Path("mine.html").read_text() == content


@pytest.mark.parametrize(("path", "words"), [("nowhere", "no such run folder"), (".", "not a run folder")])
def test_no_run(ftcli: Call, run: Path, path: str, words: str) -> None:
    ended = ftcli("report", path)
    assert ended.code == 3
    assert words in ended.err


@pytest.mark.parametrize(
    "spoilt", [{"test_report": {"per_class": [1]}}, {"test_report": {"confusion": [[1]]}}, {"findings": 3}]
)
def test_a_spoilt_summary_is_told(ftcli: Call, run: Path, spoilt: dict[str, object]) -> None:
    summary = run / "summary.json"
    summary.write_text(json.dumps(json.loads(summary.read_text()) | spoilt))
    ended = ftcli("report", run)
    assert ended.code == 3
    assert "summary.json" in ended.err
    assert "internal error" not in ended.err


def test_a_page_that_cannot_be_written_loses_no_run(
    ftcli: Call, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder is in its place, which nobody can write over."""
    from ftcli.engine.run_folder import RunFolder

    write = RunFolder.complete

    def complete(folder: RunFolder, summary: dict[str, object]) -> None:
        folder.report.mkdir()
        write(folder, summary)

    monkeypatch.setattr(RunFolder, "complete", complete)
    ended = ftcli("train", "toy.yaml", "--set", "train.epochs=2", "--out", "run", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["test"]["num_examples"] > 0
    assert (place / "run" / "summary.json").is_file()
    told = [line for line in ended.err.splitlines() if "its report is not written" in line]
    assert len(told) == 1
    assert "ftcli report run" in told[0]


def test_a_run_that_is_cut_off_has_a_page_too(ftcli: Call, run: Path) -> None:
    (run / "summary.json").unlink()
    assert ftcli("report", run).code == 0
    assert "Not finished" in (run / "report.html").read_text(encoding="utf-8")
