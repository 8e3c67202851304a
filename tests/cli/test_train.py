"""`ftcli train` from end to end: what it leaves behind, what it prints, how it goes on."""

from __future__ import annotations

import json
import re
import shlex
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from ftcli.recipe.load import load_recipe

FILES = {
    "recipe.yaml",
    "plan.json",
    "split.json",
    "environment.json",
    "metrics.jsonl",
    "test_predictions.csv",
    "summary.json",
    "best.safetensors",
    "report.html",
}
SCORES = {"accuracy", "balanced_accuracy", "macro_f1", "loss", "num_examples", "mean_average_precision"}
SCORES |= {"perplexity", "loss_error"}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def rows(run: Path) -> list[dict[str, Any]]:
    """metrics.jsonl without what a clock says."""
    clock = ("seconds", "images_per_second")
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [{key: value for key, value in json.loads(line).items() if key not in clock} for line in lines]


def test_the_run_folder_holds_these_files_and_no_others(toy):
    assert names(toy.run) == FILES


def test_the_files_agree_with_each_other(toy):
    plan = json.loads((toy.run / "plan.json").read_text())
    split = json.loads((toy.run / "split.json").read_text())
    assert [phase["name"] for phase in plan["phases"]] == ["head", "fine-tune"]
    assert plan["classes"] == split["classes"] == toy.summary["classes"] == ["digit 0", "digit 1", "digit 2"]
    assert len(split["streams"]["train"]) == plan["num_train"]
    assert json.loads((toy.run / "environment.json").read_text())["device"] == "cpu"


def test_a_row_of_metrics_for_every_epoch(toy):
    found = rows(toy.run)
    assert [row["epoch"] for row in found] == [0, 1, 2, 3, 4]
    best = [row for row in found if row["best"]][-1]
    assert (best["epoch"], best["phase"]) == (toy.summary["best_epoch"], toy.summary["best_phase"])


def test_everything_can_be_read_by_whom_the_umask_lets(toy):
    modes = {stat.S_IMODE(path.stat().st_mode) for path in toy.run.iterdir()}
    assert modes == {stat.S_IMODE((toy.path / "toy.yaml").stat().st_mode)}


def test_json_is_the_summary(toy):
    """That it stands alone on stdout is seen when the fixture parses it."""
    assert toy.summary == json.loads((toy.run / "summary.json").read_text())
    assert toy.summary["run"] == "runs/toy"
    assert toy.summary["backbone"] == "timm/test_resnet"
    assert set(toy.summary["floor"]) == set(toy.summary["ceiling"]) == set(toy.summary["test"]) == SCORES
    assert all(0 <= toy.summary[part]["accuracy"] <= 1 for part in ("floor", "ceiling", "test"))
    assert toy.summary["test"]["num_examples"] == len(toy.images("test"))
    assert toy.summary["verdict"]
    assert toy.summary["seconds"] > 0
    assert all(
        set(found) == {"severity", "where", "message", "remedy", "rule"} for found in toy.summary["findings"]
    )


def test_what_was_frozen_is_on_record(toy):
    """In the first phase everything but the head's two tensors is frozen."""
    tensors = len(load_file(toy.run / "best.safetensors"))
    assert toy.summary["frozen"] == {"checked": tensors - 2, "changed": 0, "names": []}


def test_a_linear_probe_is_the_floor_and_has_no_ceiling(ftcli, place):
    told = ftcli("train", "toy.yaml", "--json", "--set", "strategy=feature_extraction").json
    assert set(told["floor"]) == SCORES
    assert told["ceiling"] is None
    assert told["verdict_kind"] == "probe_only"


def test_random_weights_have_neither_floor_nor_ceiling(ftcli, place):
    changes = ("--set", "model.weights=none", "--set", "train.epochs=1", "--set", "strategy=full")
    told = ftcli("train", "toy.yaml", "--json", *changes).json
    assert (told["floor"], told["ceiling"], told["verdict_kind"]) == (None, None, "scratch")
    assert told["frozen"]["checked"] == 0


@pytest.mark.parametrize("no_colour", ["", "1"])
def test_in_a_pipe_lines_are_plain_and_fit_80_columns(ftcli, place, monkeypatch, no_colour):
    """All but those of a path, a command or a finding, which stay whole for grep and for copying."""
    monkeypatch.setenv("NO_COLOR", no_colour)
    monkeypatch.delenv("COLUMNS", raising=False)
    ended = ftcli("train", "toy.yaml", "--out", "runs/short", "--set", "train.epochs=2")
    assert ended.code == 0
    shown = ended.out + ended.err
    assert "\x1b" not in shown
    assert "\r" not in shown
    assert "verdict: " in ended.out
    assert "proof: 0 of " in ended.out
    assert "Training plan" in ended.err
    may_be_long = re.compile(r"model: |ftcli predict |run folder |/.*: \d+ train|(info|warning|error): ")
    long = [line for line in shown.splitlines() if len(line) > 80 and not may_be_long.match(line)]
    assert long == []


def test_default_folders_are_numbered_and_never_overwritten(ftcli, place):
    short = ("train", "toy.yaml", "--json", "--set", "strategy=feature_extraction")
    assert ftcli(*short).json["run"] == "runs/toy"
    before = contents(place / "runs" / "toy")
    assert ftcli(*short).json["run"] == "runs/toy-2"
    assert contents(place / "runs" / "toy") == before
    assert names(place / "runs" / "toy-2") == FILES


def test_a_name_in_the_recipe_names_the_folder(ftcli, place):
    short = ("--set", "strategy=feature_extraction", "--set", "name=other")
    assert ftcli("train", "toy.yaml", "--json", *short).json["run"] == "runs/other"


def test_out_is_made_with_the_folders_around_it(ftcli, place):
    ended = ftcli("train", "toy.yaml", "--out", "a/b/c", "--set", "strategy=feature_extraction")
    assert ended.code == 0
    assert names(place / "a" / "b" / "c") == FILES
    assert not (place / "runs").exists()


def test_the_recipe_of_a_run_is_the_recipe(toy, place):
    """But for the paths, which are absolute: it can be loaded from anywhere."""
    assert load_recipe(toy.run / "recipe.yaml") == load_recipe(place / "toy.yaml")


def test_the_recipe_of_a_run_repeats_it(ftcli, toy, place):
    ended = ftcli("train", toy.run / "recipe.yaml", "--out", "again", "--json")
    assert ended.code == 0, ended.err
    assert rows(place / "again") == rows(toy.run)
    assert (place / "again" / "recipe.yaml").read_text() == (toy.run / "recipe.yaml").read_text()
    clock = {"seconds", "run", "weights", "predict_command", "reuse", "peak_memory", "floor_seconds"}
    told = [{k: v for k, v in summary.items() if k not in clock} for summary in (ended.json, toy.summary)]
    assert told[0] == told[1]


def test_resume_of_a_complete_run_gives_its_result_again(ftcli, toy, monkeypatch):
    monkeypatch.chdir(toy.path)
    before = contents(toy.run)
    for folder in ((), ("--out", "runs/toy")):
        ended = ftcli("train", "toy.yaml", "--json", "--resume", *folder)
        assert ended.code == 0
        assert ended.json == toy.summary
        assert "the run is complete" in ended.err
    assert contents(toy.run) == before
    assert names(toy.path / "runs") == {"toy"}


def test_resume_where_there_is_nothing_to_resume_begins(ftcli, place):
    ended = ftcli("train", "toy.yaml", "--json", "--resume", "--set", "strategy=feature_extraction")
    assert ended.code == 0
    assert ended.json["epochs_run"] == 5


def interrupt_after(epochs: int, monkeypatch) -> None:
    """Ctrl-C right after so many epochs were kept."""
    from ftcli.engine.keep import RunKeeper

    save = RunKeeper.save

    def saving(self, progress, *arguments, **options):
        save(self, progress, *arguments, **options)
        if progress.epoch == epochs:
            monkeypatch.undo()
            monkeypatch.chdir(here)
            raise KeyboardInterrupt

    here = Path.cwd()
    monkeypatch.setattr(RunKeeper, "save", saving)


@pytest.mark.parametrize("epochs", [1, 2])
def test_ctrl_c_says_how_to_go_on_and_that_command_does(ftcli, toy, place, monkeypatch, epochs):
    interrupt_after(epochs, monkeypatch)
    ended = ftcli("train", "toy.yaml", "--set", "seed=0", "--json")
    assert ended.code == 130
    assert ended.json["error"]["what"] == "stopped; what is finished is kept"
    assert not (place / "runs" / "toy" / "summary.json").exists()
    (line,) = [line for line in ended.err.splitlines() if "to go on: " in line]
    program, *arguments = shlex.split(line.partition("to go on: ")[2])
    assert [program, *arguments] == shlex.split("ftcli train toy.yaml --set seed=0 --out runs/toy --resume")
    again = ftcli(*arguments, "--json")
    assert again.code == 0
    assert again.json["test"] == toy.summary["test"]
    assert rows(place / "runs" / "toy") == rows(toy.run)
    assert names(place / "runs") == {"toy"}


def test_ctrl_c_before_anything_was_trained_leaves_nothing(ftcli, place, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setenv("FTCLI_CACHE_GB", "0")  # so that there is something to decode
    monkeypatch.setattr("ftcli.engine.images.ImageStore._prepare", interrupted)
    ended = ftcli("train", "toy.yaml")
    assert ended.code == 130
    assert ended.err.splitlines()[-1] == "error: stopped before anything was trained"
    assert names(place) == {"toy.yaml"}


@contextmanager
def training_for_long() -> Iterator[subprocess.Popen[str]]:
    """The whole program with pipes for its output; gone at the end, whatever happened."""
    command = [sys.executable, "-m", "ftcli", "train", "toy.yaml", "--set", "train.epochs=100000"]
    # A background job of a shell ignores Ctrl-C, and so would all that it starts; a handler is not handed on.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    with process:  # closes the pipes, after it was killed
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_signal_ends_the_process_in_order(place, number, code):
    """A real one, in the middle of a long training."""
    with training_for_long() as process:
        assert process.stderr is not None
        for line in process.stderr:
            if re.match(r" +3 fine-tune", line):
                process.send_signal(number)
                break
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, "")
    assert "Traceback" not in err
    assert "stopped; what is finished is kept" in err
    assert "to go on: ftcli train toy.yaml" in err
    left = names(place / "runs" / "toy")
    assert "checkpoints" in left
    assert "best.safetensors" not in left
    assert len(rows(place / "runs" / "toy")) >= 4
    assert not [name for name in left if name.endswith(".tmp")]


def test_a_profile_is_shown_last_and_stands_in_the_summary(ftcli, place):
    ended = ftcli("train", "toy.yaml", "--out", "runs/timed", "--set", "train.epochs=2", "--profile")
    assert ended.code == 0, ended.err
    table = ended.out[ended.out.index("Where the time went: ") :]
    assert {"imports", "floor", "phase head", "forward", "backward", "optimizer", "evaluation"} <= {
        re.split(r"\s{2,}", line.strip())[0] for line in table.splitlines()
    }
    assert max(map(len, table.splitlines())) <= 80
    kept = json.loads(Path("runs/timed/summary.json").read_text())["profile"]
    assert f"{kept['seconds']:.1f} s" in table.splitlines()[0]
    ended = ftcli("train", "toy.yaml", "--profile", "--folds")
    assert (ended.code, "give --fold K" in ended.err) == (2, True)
