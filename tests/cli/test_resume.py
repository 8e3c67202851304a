"""`ftcli resume`, and what `--resume` refuses to go on with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftcli.engine.keep import RunKeeper
from ftcli.engine.run_lock import held
from tests.numerics.runs import metrics, same_bits


@pytest.fixture
def cut(ftcli: Callable[..., Any], toy: Any, place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """runs/toy, stopped with Ctrl-C in its third epoch, on data of its own."""
    save = RunKeeper.save

    def saving(self: RunKeeper, progress: Any, *arguments: Any, **options: Any) -> None:
        save(self, progress, *arguments, **options)
        if (progress.epoch, progress.so_far.step) == (2, 2):
            raise KeyboardInterrupt

    shutil.copytree(toy.path / "digits", place / "digits")
    text = (place / "toy.yaml").read_text().replace(str(toy.path / "digits"), "digits")
    (place / "toy.yaml").write_text(text + "checkpoint: {every_steps: 1}\n")
    with monkeypatch.context() as patch:
        patch.setattr(RunKeeper, "save", saving)
        assert ftcli("train", "toy.yaml").code == 130
    return place / "runs" / "toy"


def test_from_the_folder_alone(ftcli: Callable[..., Any], toy: Any, cut: Path, tmp_path_factory: Any) -> None:
    """From any directory, with the bits of a run that nobody stopped; and once more, which does nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        ended = ftcli("resume", cut, "--json")
        assert ended.code == 0, ended.err
        again = ftcli("resume", cut, "--json")
    assert same_bits(toy.run, cut)
    assert metrics(toy.run) == metrics(cut)
    assert ended.json["test"] == toy.summary["test"]
    assert (again.code, again.json) == (0, ended.json)
    assert "the run is complete" in again.err


def test_stopped_again_it_says_how_to_go_on(
    ftcli: Callable[..., Any], cut: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(RunKeeper, "save", stopped)
    ended = ftcli("resume", "runs/toy")
    assert ended.code == 130
    assert "to go on: ftcli resume runs/toy" in ended.err


def test_another_recipe_is_refused_and_what_differs_is_told(ftcli: Callable[..., Any], cut: Path) -> None:
    changes = ("--set", "optimizer.lr=0.01", "--set", "train.epochs=6", "--set", "runtime.workers=0")
    ended = ftcli("train", "toy.yaml", "--resume", "--json", *changes)
    assert ended.code == 2
    what = ended.json["error"]["what"]
    assert "optimizer.lr: 0.003 -> 0.01" in what
    assert "train.epochs: 5 -> 6" in what
    assert "workers" not in what, "it decides no number"
    assert "ftcli resume" in ended.json["error"]["remedy"]


def test_what_decides_no_number_may_change(ftcli: Callable[..., Any], toy: Any, cut: Path) -> None:
    changes = ("--set", "runtime.workers=1", "--set", "checkpoint.every_steps=null", "--set", "name=toy")
    assert ftcli("train", "toy.yaml", "--resume", "--json", *changes).code == 0
    assert same_bits(toy.run, cut)


def test_data_that_changed_is_told_as_such(ftcli: Callable[..., Any], cut: Path) -> None:
    """As many images as before, one of them under another name."""
    record = json.loads((cut / "split.json").read_text())
    key = record["streams"]["train"][0]
    data = cut.parents[1] / "digits"
    (data / key).rename((data / key).with_name("zzz.png"))
    ended = ftcli("train", "toy.yaml", "--resume", "--json")
    assert ended.code == 2
    what = ended.json["error"]["what"]
    assert f"the data has changed: 1 examples are gone, '{key}' first" in what
    assert "1 examples are new" in what


def test_a_plan_that_differs_in_itself_is_told_by_its_own_paths(ftcli: Callable[..., Any], cut: Path) -> None:
    plan = json.loads((cut / "plan.json").read_text())
    plan |= {"fingerprint": "another", "batch_size": 9}
    (cut / "plan.json").write_text(json.dumps(plan))
    ended = ftcli("resume", "runs/toy", "--json")
    assert ended.code == 2
    assert "batch_size: 9 -> 8" in ended.json["error"]["what"]


def test_a_folder_that_is_no_run(ftcli: Callable[..., Any], place: Path) -> None:
    ended = ftcli("resume", ".")
    assert ended.code == 3
    assert "not a run folder" in ended.err


def test_a_run_that_is_at_work_is_left_alone(ftcli: Callable[..., Any], cut: Path) -> None:
    with held(cut):
        for arguments in (
            ("resume", "runs/toy"),
            ("train", "toy.yaml", "--resume"),
            ("train", "toy.yaml", "--out", "runs/toy"),
        ):
            ended = ftcli(*arguments)
            assert ended.code == 24, ended.err
            assert "in use by process" in ended.err
