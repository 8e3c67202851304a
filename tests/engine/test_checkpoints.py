"""Checkpoints are found damaged whenever they are, and one that is whole always stays."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ftcli.engine.checkpoint_manifest import Damaged
from ftcli.engine.checkpoints import names, read_checkpoint, superfluous
from ftcli.engine.whole_checkpoint import newest_whole
from ftcli.errors import ModelError
from ftcli.findings import Finding
from tests.checkpoints import HEAD, KeptRun, taken_up
from tests.os_faults import fault_at

FaultCount = Callable[[int, int], None]
Tensors = dict[str, torch.Tensor]


def bases(run: KeptRun) -> list[str]:
    return sorted(path.name for path in run.checkpoints.glob("base-*"))


def test_what_is_frozen_is_written_once(tmp_path: Path) -> None:
    run = KeptRun(tmp_path / "run").epochs(0.5)
    (base,) = bases(run)
    written = (run.checkpoints / base).stat().st_ino
    run.epochs(0.6, 0.7)
    assert bases(run) == [base]
    assert (run.checkpoints / base).stat().st_ino == written
    _, tensors = read_checkpoint(run.checkpoints, "000003")
    assert {name.removeprefix("model/") for name in tensors if name.startswith("model/")} == set(run.state())


def test_a_phase_that_freezes_less_shares_the_file(tmp_path: Path) -> None:
    run = KeptRun(tmp_path / "run").epochs(0.5)
    first = bases(run)
    run.enter_phase((*HEAD, "norm.weight", "norm.running_mean"))
    run.epochs(0.6, 0.7)
    assert bases(run) == first
    again = taken_up(run.path)
    assert again is not None
    assert all(torch.equal(t, run.state()[name]) for name, t in again.state().items())


def test_a_phase_that_freezes_what_has_moved_gets_its_own(tmp_path: Path) -> None:
    """The old one stays as long as a checkpoint is made of it."""
    run = KeptRun(tmp_path / "run", trains=("body.weight",)).epochs(0.5)
    first = bases(run)
    run.enter_phase(HEAD)
    run.epochs(0.4)
    assert len(bases(run)) == 2
    run.epochs(0.4, 0.4)
    assert len(bases(run)) == 2, "the best is of the first phase"
    run.epochs(0.8, 0.4)
    assert len(bases(run)) == 1
    assert bases(run) != first


def test_where_all_trains_there_is_no_such_file(tmp_path: Path) -> None:
    run = KeptRun(tmp_path / "run", trains=None).epochs(0.5)
    assert bases(run) == []


def test_the_best_and_the_last_stay(tmp_path: Path) -> None:
    run = KeptRun(tmp_path / "run", keep=3).epochs(0.1, 0.9, 0.2, 0.3, 0.4, 0.5)
    assert names(run.checkpoints) == ["000002", "000004", "000005", "000006"]


@given(st.lists(st.integers(1, 2000), unique=True, min_size=1), st.integers(2, 5), st.data())
def test_what_is_superfluous(numbers: list[int], keep: int, data: st.DataObject) -> None:
    found = [f"{number:06}" for number in sorted(numbers)]
    best = data.draw(st.sampled_from(found))
    left = [name for name in found if name not in superfluous(found, keep, best)]
    assert left[-keep:] == found[-keep:]
    assert set(left) == {*found[-keep:], best}


def flipped(path: Path, dice: random.Random) -> None:
    raw = bytearray(path.read_bytes())
    raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
    path.write_bytes(raw)


def cut(path: Path, dice: random.Random) -> None:
    raw = path.read_bytes()
    path.write_bytes(raw[: dice.randrange(len(raw))])


def longer(path: Path, dice: random.Random) -> None:
    path.write_bytes(path.read_bytes() + dice.randbytes(dice.randint(1, 9)))


def deleted(path: Path, dice: random.Random) -> None:
    path.unlink()


def swapped(path: Path, dice: random.Random) -> None:
    """With the file of the same name in another checkpoint, or with any other."""
    folder = path.parents[1] if path.parent.name.isdecimal() else path.parent
    files = [other for other in sorted(folder.rglob("*")) if other.is_file() and other != path]
    others = [other for other in files if other.name == path.name] or files
    other = dice.choice(others)
    mine, theirs = path.read_bytes(), other.read_bytes()
    path.write_bytes(theirs)
    other.write_bytes(mine)


def edited(path: Path, dice: random.Random) -> None:
    """A digit of a text is another one; in a file of tensors a byte is."""
    raw = bytearray(path.read_bytes())
    digits = [index for index, byte in enumerate(raw) if 48 <= byte < 58]
    where = dice.choice(digits)
    raw[where] = dice.choice([byte for byte in range(48, 58) if byte != raw[where]])
    path.write_bytes(raw)


MUTATIONS: tuple[Callable[[Path, random.Random], None], ...] = (
    flipped,
    cut,
    longer,
    deleted,
    swapped,
    edited,
)


@pytest.mark.fault(10)
@pytest.mark.parametrize("seeds", [range(30), pytest.param(range(30, 300), marks=pytest.mark.slow)])
def test_mutations_are_found(seeds: range, tmp_path: Path, fault_count: FaultCount) -> None:
    """Told or refused, each; and what is taken instead is a checkpoint as it was written."""
    run = KeptRun(tmp_path / "run").epochs(0.9, 0.5, 0.5)
    true = {name: read_checkpoint(run.checkpoints, name)[1] for name in names(run.checkpoints)}
    for seed in seeds:
        dice = random.Random(seed)
        folder = shutil.copytree(run.checkpoints, tmp_path / "mutated")
        path = dice.choice(sorted(path for path in folder.rglob("*") if path.is_file()))
        mutation = MUTATIONS[seed % len(MUTATIONS)]
        mutation(path, dice)
        assert found_damaged(folder, true), f"{mutation.__name__} {path.name}, seed {seed}"
        shutil.rmtree(folder)
        fault_count(1, 1)


def found_damaged(folder: Path, true: dict[str, Tensors]) -> bool:
    told: list[Finding | Damaged | ModelError] = []
    try:
        found = newest_whole(folder, told.append)
        assert found is not None
        assert same(found[1], true[found[0].name])
    except ModelError as error:
        told.append(error)
    for name, tensors in true.items():  # what was not looked at yet is found when it is
        try:
            assert same(read_checkpoint(folder, name)[1], tensors)
        except Damaged as damage:
            told.append(damage)
    return bool(told)


def same(one: Tensors, other: Tensors) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.fault(20)
@pytest.mark.parametrize("seeds", [range(100), pytest.param(range(100, 1000), marks=pytest.mark.slow)])
def test_histories_of_a_run(
    seeds: range, tmp_path: Path, fault_count: FaultCount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Epochs, kills in the middle of a save, bad disks, resumes: what is left is never nothing, and the bits fit."""
    monkeypatch.setattr(
        "os.fsync", lambda descriptor: None
    )  # of a power cut it would tell, and takes most of the time
    for seed in seeds:
        dice = random.Random(seed)
        path = tmp_path / str(seed)
        history(KeptRun(path, keep=dice.randint(2, 4)).epochs(0.5), dice)
        shutil.rmtree(path)
        fault_count(1, 1)


class Killed(BaseException):
    pass


def history(run: KeptRun, dice: random.Random) -> None:
    states = {run.progress.epoch: run.state()}
    for _ in range(dice.randint(2, 5)):
        run.epoch(dice.random())
        states[run.progress.epoch] = run.state()
        if not saved(run, dice):
            if dice.random() < 0.5:
                damage_the_newest(run, dice)
            run = resumed(run, dice)
        whole = [name for name in names(run.checkpoints) if is_whole(run.checkpoints, name)]
        assert len(whole) >= 1
        again = newest_whole(run.checkpoints, lambda finding: None)
        assert again is not None
        assert torch.equal(again[1]["model/head.bias"], states[again[0].progress["epoch"]]["head.bias"])
        assert str(again[0].best) in whole


def saved(run: KeptRun, dice: random.Random) -> bool:
    """False where the process is killed at one of the calls of it, if it has so many."""

    def kill() -> None:
        raise Killed

    try:
        with fault_at(dice.choice([None, dice.randrange(60)]), kill):
            run.save()
    except Killed:
        return False
    return True


def damage_the_newest(run: KeptRun, dice: random.Random) -> None:
    """Only where another one is whole."""
    here = names(run.checkpoints)
    best = newest_whole(run.checkpoints, lambda finding: None)
    assert best is not None
    if len(here) > 1 and best[0].best != here[-1]:
        flipped(dice.choice(sorted((run.checkpoints / here[-1]).iterdir())), dice)


def resumed(run: KeptRun, dice: random.Random) -> KeptRun:
    again = taken_up(run.path, dice.randrange(99))
    assert again is not None
    again.keeper.keep = dice.randint(2, 4)
    again.trains = run.trains
    return again


def is_whole(folder: Path, name: str) -> bool:
    try:
        read_checkpoint(folder, name)
    except Damaged:
        return False
    return True
