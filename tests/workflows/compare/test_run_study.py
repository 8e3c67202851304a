"""Studies of small real runs: what they share, failures on record, gone on with after a kill, another one refused."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

from ftcli.engine.images import ImageStore
from ftcli.engine.run_lock import held
from ftcli.errors import (
    FrozenTensorChanged,
    MachineError,
    NonFiniteError,
    RunLockedError,
    StoppedByUser,
    UsageError,
)
from ftcli.events import EpochDone, Noticed, TrialDone, TrialStarted, Working
from ftcli.planner.variants import Asked, study_of
from ftcli.plans.study import Study, Trial, Variant
from ftcli.recipe.overrides import apply
from ftcli.recipe.schema import Recipe
from ftcli.recipe.yaml_source import parse
from ftcli.workflows import probe as probe_module
from ftcli.workflows.compare import run_study as module
from ftcli.workflows.compare.existing_runs import compare_runs
from ftcli.workflows.compare.run_study import read_study, run_study
from ftcli.workflows.compare.study_folder import StudyFolder
from ftcli.workflows.train import train
from tests.toys import RESNET, ignore, recorder, write_digits

TEXT = f"""\
name: toy
data: {{kind: folder, path: FOLDER, image_size: 32, audit: "off"}}
model: {{backbone: {RESNET}, weights: WEIGHTS}}
strategy: feature_extraction
augment: none
train: {{epochs: 2, batch_size: 8}}
runtime: {{device: cpu}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("compare")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save_file(timm.create_model(RESNET.partition("/")[2]).state_dict(), place / "start.safetensors")
    return write_digits(place / "digits", per_class=20, classes=3)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("own-cache")))


class Toys:
    """A recipe's text, and studies of it."""

    def __init__(self, folder: Path, **replaced: str) -> None:
        self.folder = folder
        self.text = TEXT.replace("FOLDER", str(folder)).replace(
            "WEIGHTS", str(folder.parent / "start.safetensors")
        )
        for was, now in replaced.items():
            assert was in self.text
            self.text = re.sub(rf"{was}: \w+", f"{was}: {now}", self.text)

    def recipe(self, *overrides: str) -> Recipe:
        document = parse(self.text, "toy.yaml")
        assert not apply(document, overrides)
        return Recipe.model_validate_json(json.dumps(document.data))

    def make(self, trial: Trial) -> Recipe:
        return self.recipe(*trial.overrides)

    def study(self, **asked: Any) -> Study:
        recipe = self.recipe()
        return study_of(recipe, recipe.model_dump(mode="json"), Asked(**asked))


@pytest.fixture(scope="module")
def toys(folder: Path) -> Toys:
    return Toys(folder)


def test_a_whole_study(toys: Toys, tmp_path: Path) -> None:
    study = toys.study(strategies="probe,scratch", sizes="12,24", seeds="0,1")
    events, listener = recorder()
    found = run_study(study, toys.make, tmp_path / "study", listener)

    assert sorted(path.name for path in (tmp_path / "study" / "runs").iterdir()) == sorted(
        trial.name for trial in study.trials
    )
    assert [(cell.variant, cell.num_train, cell.seeds) for cell in found.cells] == [
        ("probe", 12, (0, 1)),
        ("scratch", 12, (0, 1)),
        ("probe", 24, (0, 1)),
        ("scratch", 24, (0, 1)),
    ]
    probe, scratch = (found.at(name, 24) for name in ("probe", "scratch"))
    assert probe is not None
    assert scratch is not None
    assert probe.images_seen == scratch.images_seen == 48
    assert scratch.trainable == scratch.parameters
    assert probe.trainable is not None
    assert probe.trainable < 0.01 * (probe.parameters or 0)
    assert probe.training_flops is not None
    assert 4 < (scratch.training_flops or 0) / probe.training_flops < 6.5, (
        "two epochs of three passes against one"
    )
    assert found.crossover is not None
    assert {pair.other for pair in found.paired} == {"probe", "scratch"} - {found.best}
    assert found.paired[0].num_pairs == 2

    saved = json.loads((tmp_path / "study" / "study.json").read_text())
    assert saved == json.loads(json.dumps(found.to_dict()))
    assert [type(e) for e in events if isinstance(e, TrialStarted | TrialDone)] == [
        TrialStarted,
        TrialDone,
    ] * 8

    events, listener = recorder()
    again = run_study(study, toys.make, tmp_path / "study", listener)
    assert again.to_dict() == found.to_dict()
    assert [e.anew for e in events if isinstance(e, TrialDone)] == [False] * 8
    assert not [e for e in events if isinstance(e, EpochDone)], "nothing is trained again"
    assert read_study(tmp_path / "study").to_dict() == found.to_dict()

    runs = [tmp_path / "study" / "runs" / trial.name for trial in study.trials]
    there = compare_runs(runs)
    assert [cell.scores for cell in there.cells] == [
        found.at(c.variant, c.num_train).scores  # type: ignore[union-attr]
        for c in there.cells
    ]
    assert there.variants == ("probe", "scratch")
    assert there.paired == found.paired
    assert there.crossover == found.crossover
    with pytest.raises(UsageError, match="one run alone"):
        compare_runs([runs[0], runs[0]])


def test_the_second_variant_finds_images_and_features(
    toys: Toys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The probe of its floor reads what the first one has left."""
    prepared: list[int] = []
    prepare_one = ImageStore._prepare
    monkeypatch.setattr(ImageStore, "_prepare", lambda self, i: prepared.append(i) or prepare_one(self, i))
    run_study(toys.study(strategies="probe,full"), toys.make, tmp_path / "study", ignore)
    assert len(prepared) == len(set(prepared)) == 60
    first, second = (
        json.loads((tmp_path / "study" / "runs" / name / "summary.json").read_text())["reuse"]
        for name in ("probe", "full")
    )
    assert first["computed"] == 60
    assert second["computed"] == 0
    assert second["read"] > 0


def test_variants_with_the_same_probe_share_their_floor(
    toys: Toys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last bit what each would have found alone; another batch size has a probe of its own."""
    monkeypatch.setattr(probe_module, "MAX_EPOCHS", 5)
    probed: list[str] = []
    probe_one = probe_module.probe
    monkeypatch.setattr(probe_module, "probe", lambda plan, work: probed.append("") or probe_one(plan, work))
    study = toys.study(strategies="full", vary=["train.batch_size=6,8", "optimizer.lr=1e-3,1e-2"])
    found = run_study(study, toys.make, tmp_path / "study", ignore)
    assert not found.failed
    assert len(probed) == 2

    def floor(trial: Trial, place: str) -> Any:
        summary = tmp_path / place / "runs" / trial.name / "summary.json"
        told = json.loads(summary.read_text())
        assert told["seconds"] > told["floor_seconds"] >= 0
        return told["floor"]

    last = study.trials[1]
    train(toys.make(last), out=tmp_path / "alone" / "runs" / last.name, resume=False, listener=ignore)
    assert len(probed) == 3
    assert floor(last, "alone") == floor(last, "study") == floor(study.trials[0], "study")


def test_larger_sizes_decode_only_what_is_new(
    toys: Toys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a cache on disk too."""
    monkeypatch.setenv("FTCLI_CACHE_GB", "0")
    prepared: list[int] = []
    prepare_one = ImageStore._prepare
    monkeypatch.setattr(ImageStore, "_prepare", lambda self, i: prepared.append(i) or prepare_one(self, i))
    events, listener = recorder()
    run_study(toys.study(sizes="12,24,all"), toys.make, tmp_path / "study", listener)
    assert len(prepared) == len(set(prepared)) == 60
    assert {e.total for e in events if isinstance(e, Working) and e.what == "reading images"} == {30, 42, 60}


def test_a_run_that_fails_is_on_record_and_tried_again(
    toys: Toys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = toys.study(sizes="12,5000")
    found = run_study(study, toys.make, tmp_path / "study", ignore)
    assert [run.state for run in found.runs] == ["done", "failed"]
    failure = found.runs[1].failure
    assert failure is not None
    assert (failure.exit_code, failure.where) == (4, "data.split.train_size")
    assert "fewer than the 5,000" in failure.what
    assert read_study(tmp_path / "study").runs == found.runs

    tried: list[str] = []

    def explode(recipe: Recipe, **_: object) -> None:
        tried.append(recipe.name)
        if len(tried) == 2:
            raise NonFiniteError("the loss is nan")
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(module, "train", explode)
    again = run_study(study, toys.make, tmp_path / "elsewhere", ignore)
    assert tried == ["recipe-n12", "recipe-n5000"]
    assert [run.failure.exit_code for run in again.runs if run.failure] == [1, 20]
    first = again.runs[0].failure
    assert first is not None
    assert first.what == "internal error: ZeroDivisionError: by nothing"
    assert "ZeroDivisionError" in Path(first.where or "").read_text()


def test_a_run_that_broke_its_promise_or_is_damaged_is_none(toys: Toys, tmp_path: Path) -> None:
    run_study(toys.study(sizes="12,24"), toys.make, tmp_path / "study", ignore)
    moved, damaged = (tmp_path / "study" / "runs" / f"recipe-n{size}" / "summary.json" for size in (12, 24))
    summary = json.loads(moved.read_text())
    moved.write_text(json.dumps(summary | {"frozen": {"checked": 9, "changed": 2, "names": ["a", "b"]}}))
    damaged.write_text("{}")
    found = read_study(tmp_path / "study")
    assert [run.failure.exit_code for run in found.runs if run.failure] == [1, 3]
    assert found.cells == ()
    with pytest.raises(FrozenTensorChanged, match="2 frozen tensors moved"):
        compare_runs([moved.parent, damaged.parent])


def test_another_study_in_the_folder_is_refused(toys: Toys, tmp_path: Path) -> None:
    out = tmp_path / "study"
    run_study(toys.study(sizes="12,24"), toys.make, out, ignore)
    before = (out / "study.json").read_bytes()
    other = Toys(toys.folder, epochs="3", name="other")
    with pytest.raises(UsageError, match="another study") as caught:
        run_study(other.study(sizes="12,36"), other.make, out, ignore)
    assert "finished, and not asked for: recipe-n24" in caught.value.what
    assert "recipe.train.epochs: 2 -> 3" in caught.value.what
    assert "name" not in caught.value.what
    assert (out / "study.json").read_bytes() == before

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("words")
    with pytest.raises(MachineError, match="not empty, and holds no study"):
        run_study(toys.study(sizes="12,24"), toys.make, tmp_path / "mine", ignore)


def test_a_study_may_grow_and_runs_only_what_is_new(toys: Toys, tmp_path: Path) -> None:
    out = tmp_path / "study"
    began = run_study(toys.study(strategies="probe,scratch", sizes="12"), toys.make, out, ignore)
    events, listener = recorder()
    more = toys.study(strategies="probe,scratch", sizes="12", seeds="0,5")
    grown = run_study(more, toys.make, out, listener)
    new = {event.finished.trial.name for event in events if isinstance(event, TrialDone) and event.anew}
    assert new == {"probe-n12-seed5", "scratch-n12-seed5"}
    assert grown.runs[:2] == began.runs
    assert read_study(out).runs == grown.runs
    with pytest.raises(UsageError, match="finished, and not asked for: scratch-n12, scratch-n12-seed5"):
        run_study(toys.study(strategies="probe", sizes="12", seeds="0,5"), toys.make, out, ignore)


def test_what_is_not_finished_may_be_left_out(toys: Toys, tmp_path: Path) -> None:
    """A size that the data does not have fails for ever: the study is not to be thrown away for it."""
    out = tmp_path / "study"
    events, listener = recorder()
    failed = run_study(toys.study(sizes="12,5000"), toys.make, out, listener)
    told = [(type(event), getattr(event, "finding", None)) for event in events]
    foreseen = [finding for kind, finding in told if kind is Noticed and finding.rule == "run-will-fail"]
    assert [(f.where, "fewer than the 5,000 asked for" in f.message) for f in foreseen] == [
        ("recipe-n5000", True)
    ]
    kinds = [kind for kind, _ in told]
    assert kinds.index(Noticed) < kinds.index(TrialStarted)
    assert [run.state for run in failed.runs] == ["done", "failed"]
    mended = run_study(toys.study(sizes="12,24"), toys.make, out, ignore)
    assert [run.state for run in mended.runs] == ["done", "done"]


def test_a_finished_run_keeps_its_meaning(tmp_path: Path) -> None:
    def study(*variants: Variant) -> Study:
        return Study("s", variants, ("all",), (0, 1), {"seed": 0})

    folder = StudyFolder(tmp_path)
    there = study(Variant("a", "a", ("train.epochs=1",)))
    other = study(Variant("a", "a", ("train.epochs=2",)))
    folder.write({"study": there.to_dict(), "runs": []})
    folder.refuse_other(other)
    (tmp_path / "runs" / "a").mkdir(parents=True)
    (tmp_path / "runs" / "a" / "summary.json").touch()
    folder.refuse_other(there)
    with pytest.raises(UsageError, match=r"a: train\.epochs=1 -> train\.epochs=2"):
        folder.refuse_other(other)


def test_one_process_at_a_time(toys: Toys, tmp_path: Path) -> None:
    with held(tmp_path / "study"), pytest.raises(RunLockedError):
        run_study(toys.study(sizes="12,24"), toys.make, tmp_path / "study", ignore)


def test_ctrl_c_keeps_what_is_done(toys: Toys, tmp_path: Path) -> None:
    study, epochs = toys.study(sizes="12,24"), 0

    def stop_in_the_second(event: object) -> None:
        nonlocal epochs
        epochs += isinstance(event, EpochDone)
        if epochs == 3:
            raise KeyboardInterrupt

    with pytest.raises(StoppedByUser, match="stopped; 1 of 2 runs are finished") as caught:
        run_study(study, toys.make, tmp_path / "study", stop_in_the_second)
    assert caught.value.where == str(tmp_path / "study")
    events, listener = recorder()
    found = run_study(study, toys.make, tmp_path / "study", listener)
    assert [e.anew for e in events if isinstance(e, TrialDone)] == [False, True]
    assert [e.epoch for e in events if isinstance(e, EpochDone)] == [1], "from the epoch that was kept"
    assert not found.failed


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_study_that_is_killed_goes_on_where_it_was(toys: Toys, tmp_path: Path) -> None:
    """kill -9 in the middle, then the same command: the same scores as of one that nobody disturbed."""
    whole = Toys(toys.folder, epochs="4")
    (tmp_path / "toy.yaml").write_text(whole.text)
    command = [sys.executable, "-m", "ftcli", "compare", "toy.yaml", "--strategies", "full,scratch", "--json"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    runs = tmp_path / "studies" / "toy" / "runs"
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL, stdout=-3)
    while not (runs / "scratch" / "checkpoints").exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert (runs / "full" / "summary.json").exists()
    assert not (runs / "scratch" / "summary.json").exists()
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert [run["state"] for run in told["runs"]] == ["done", "done"]
    same = run_study(whole.study(strategies="full,scratch"), whole.make, tmp_path / "whole", ignore)
    assert [run["outcome"]["test"] for run in told["runs"]] == [
        r.outcome.test for r in same.runs if r.outcome
    ]


def test_a_run_that_is_not_complete_is_not_compared(toys: Toys, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(MachineError, match="not a run folder"):
        compare_runs([tmp_path / "run", tmp_path / "other"])
    for name in ("run", "other"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "recipe.yaml").write_text(toys.text)
    with pytest.raises(MachineError, match="not complete"):
        compare_runs([tmp_path / "run", tmp_path / "other"])
