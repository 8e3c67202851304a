"""A run goes on from what is whole, says what it passed over, and has its best weights to give at any time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ftcli.engine.checkpoints import LATEST, names
from ftcli.engine.weights_file import MODEL
from ftcli.engine.whole_checkpoint import best_model
from ftcli.errors import ModelError, UsageError
from tests.checkpoints import CARD, HEAD, KeptRun, same, taken_up


def damage(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def resumed(run: KeptRun) -> KeptRun:
    again = taken_up(run.path)
    assert again is not None
    return again


@pytest.mark.parametrize("trains", [("head.weight", "head.bias"), None])
def test_everything_comes_back(trains: tuple[str, ...] | None, tmp_path: Path) -> None:
    run = KeptRun(tmp_path / "run", trains).epochs(0.5, 0.9, 0.7)
    again = resumed(run)
    assert again.keeper.noticed == []
    assert same(again.state(), run.state())
    assert again.progress == run.progress
    assert again.remembered.keys() == run.remembered.keys()
    assert all(same(again.remembered[name], run.remembered[name]) for name in run.remembered)


def test_nothing_was_kept(tmp_path: Path) -> None:
    assert taken_up(tmp_path / "run") is None


def test_a_probe_s_checkpoint_is_small(tmp_path: Path) -> None:
    run = KeptRun(tmp_path / "run").epochs(0.5)
    state = (run.checkpoints / "000001" / "state.safetensors").stat().st_size
    trained = sum(t.numel() * t.element_size() for t in run.moving().values())
    assert state < 2 * trained + 1000, "what trains, one moment of it, and the header"


def test_another_plan_is_refused(tmp_path: Path) -> None:
    run = KeptRun(tmp_path / "run").epochs(0.5)
    run.keeper.fingerprint = "of another plan"
    with pytest.raises(UsageError, match="another plan"):
        run.keeper.resume(run.network)


def test_metrics_are_those_of_the_checkpoint(tmp_path: Path) -> None:
    """A run that was killed after its checkpoint and before its metrics repeats no epoch, so they are written now."""
    run = KeptRun(tmp_path / "run").epochs(0.5, 0.6)
    (run.path / "metrics.jsonl").unlink()
    resumed(run)
    lines = (run.path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [0, 1]


def test_a_damaged_checkpoint_is_passed_over_and_the_run_goes_on(tmp_path: Path) -> None:
    """To the same bits as one that was never damaged."""
    run = KeptRun(tmp_path / "run").epochs(0.5, 0.6, 0.4)
    damage(run.checkpoints / "000003" / "state.safetensors")
    again = resumed(run)
    (finding,) = again.keeper.noticed
    assert (finding.rule, finding.severity) == ("checkpoint-damaged", "warning")
    assert "000003" in finding.where
    assert "SHA-256" in finding.message
    assert again.progress.epoch == 2
    assert names(run.checkpoints) == ["000002"]
    again.epochs(0.4)
    assert same(again.state(), run.state())
    assert resumed(run).keeper.noticed == []


def test_a_manifest_of_deep_brackets_is_damaged(tmp_path: Path) -> None:
    run = KeptRun(tmp_path / "run").epochs(0.5, 0.6)
    (run.checkpoints / "000002" / "manifest.json").write_text("[" * 10**5)
    assert resumed(run).progress.epoch == 1


def test_of_two_that_are_damaged_both_are_told(tmp_path: Path) -> None:
    run = KeptRun(tmp_path / "run", keep=3).epochs(0.9, 0.5, 0.5)
    for name in ("000002", "000003"):
        (run.checkpoints / name / "state.safetensors").unlink()
    again = resumed(run)
    assert [Path(finding.where).name for finding in again.keeper.noticed] == ["000003", "000002"]
    assert again.progress.epoch == 1


def all_manifests(run: KeptRun) -> None:
    for path in run.checkpoints.glob("*/manifest.json"):
        damage(path)


def the_frozen_part(run: KeptRun) -> None:
    (base,) = run.checkpoints.glob("base-*")
    damage(base)


def all_folders(run: KeptRun) -> None:
    for name in names(run.checkpoints):
        shutil.rmtree(run.checkpoints / name)


@pytest.mark.parametrize("lose", [all_manifests, the_frozen_part, all_folders])
def test_none_is_whole(lose: Callable[[KeptRun], None], tmp_path: Path) -> None:
    """Refused: a run that begins anew in silence would look like one that went on."""
    run = KeptRun(tmp_path / "run").epochs(0.5, 0.6)
    lose(run)
    with pytest.raises(ModelError, match="none of the run's checkpoints is whole") as caught:
        resumed(run)
    assert caught.value.exit_code == 5
    assert "--out" in str(caught.value.remedy)


@pytest.mark.parametrize("lose", [damage, Path.unlink])
def test_a_lost_frozen_part_is_made_anew_from_the_network_as_it_was_opened(
    lose: Callable[[Path], None], tmp_path: Path
) -> None:
    """Of the newest and of the best, whose phase froze other tensors."""
    run = KeptRun(tmp_path / "run").epochs(0.9)
    run.enter_phase([*HEAD, "norm.weight", "norm.bias"])
    run.epochs(0.5, 0.6)
    bases = {path: path.read_bytes() for path in run.checkpoints.glob("base-*")}
    for base in bases:
        lose(base)
    again = taken_up(run.path, seed=0)
    assert again is not None
    assert same(again.state(), run.state())
    assert again.progress.best == run.progress.best
    assert {Path(finding.where): finding.rule for finding in again.keeper.noticed} == dict.fromkeys(
        bases, "checkpoint-damaged"
    )
    assert {path: path.read_bytes() for path in run.checkpoints.glob("base-*")} == bases
    assert best_model(run.checkpoints) is not None


def test_the_best_weights_are_there_at_any_time(tmp_path: Path) -> None:
    run = KeptRun(tmp_path / "run").epochs(0.5, 0.9)
    best = run.state()
    run.epochs(0.6, 0.7, 0.8)
    found = best_model(run.checkpoints)
    assert found is not None
    assert same(found[0], best)
    assert found[1] == CARD


def test_no_epoch_has_best_weights_yet(tmp_path: Path) -> None:
    run = KeptRun(tmp_path / "run")
    assert best_model(run.checkpoints) is None
    run.epoch()
    run.save(best=False)
    assert best_model(run.checkpoints) is None


def test_best_weights_that_are_damaged_are_not_used(tmp_path: Path) -> None:
    run = KeptRun(tmp_path / "run").epochs(0.9, 0.6, 0.7)
    damage(run.checkpoints / "000001" / "state.safetensors")
    with pytest.raises(ModelError, match="has another SHA-256") as caught:
        best_model(run.checkpoints)
    assert "--resume" in str(caught.value.remedy)


def test_a_run_goes_on_without_its_best_weights_and_says_so(tmp_path: Path) -> None:
    """The last ones take their place, in the records too: no score is told of weights that nobody has."""
    run = KeptRun(tmp_path / "run").epochs(0.9, 0.6, 0.7)
    damage(run.checkpoints / "000001" / "state.safetensors")
    again = resumed(run)
    assert [finding.rule for finding in again.keeper.noticed] == ["checkpoint-damaged"]
    assert again.progress.best is not None
    assert (again.progress.best.epoch, again.progress.best.scores.accuracy) == (2, 0.7)
    again.epochs(0.5, 0.6)
    found = best_model(run.checkpoints)
    assert found is not None
    assert same(found[0], run.state())
    assert "000001" not in names(run.checkpoints)


def test_best_weights_that_were_replaced_stay_so_where_no_epoch_follows(tmp_path: Path) -> None:
    """They were damaged at the run's end: it is to be resumed to its result, once and again."""
    run = KeptRun(tmp_path / "run").epochs(0.9, 0.6, 0.7)
    damage(run.checkpoints / "000001" / "state.safetensors")
    resumed(run)
    found = best_model(run.checkpoints)
    assert found is not None
    assert same(found[0], run.state())
    again = resumed(run)
    assert again.keeper.noticed == []
    assert again.progress.best is not None
    assert again.progress.best.epoch == 2


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[]", '{"checkpoint": "000002", "sha256": "0"}', "\0", pytest.param("[" * 10**5, id="deep")],
)
def test_a_damaged_pointer_is_told_and_does_no_harm(content: str, tmp_path: Path) -> None:
    run = KeptRun(tmp_path / "run").epochs(0.5, 0.6)
    (run.checkpoints / LATEST).write_text(content)
    again = resumed(run)
    assert [Path(finding.where).name for finding in again.keeper.noticed] == [LATEST]
    assert same(again.state(), run.state())
    assert resumed(run).keeper.noticed == [], "it is mended"


def test_weights_that_are_not_contiguous(tmp_path: Path) -> None:
    """As they are in channels_last, in which a GPU trains."""
    run = KeptRun(tmp_path / "run")
    weight = run.network.model.get_submodule("body").weight
    weight.data = torch.randn(weight.shape[::-1]).t()
    run.epochs(0.5)
    found = best_model(run.checkpoints)
    assert found is not None
    assert torch.equal(found[0]["body.weight"], weight.detach())
    assert not any(name.startswith(MODEL) for name in found[0])
