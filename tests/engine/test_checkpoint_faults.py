"""Refused, killed or out of room at every call of a save: the checkpoint before or the new one loads."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from errno import EIO
from pathlib import Path

import pytest
import torch

from ftcli.engine.checkpoint_manifest import Manifest
from ftcli.engine.whole_checkpoint import newest_whole
from ftcli.errors import MachineError
from ftcli.findings import Finding
from tests.checkpoints import KeptRun, same, taken_up
from tests.full_disk import python
from tests.os_faults import fault_at

EVERY_POINT = """
import os, shutil, sys
from pathlib import Path
from ftcli.engine.files import sweep
from tests.checkpoints import KeptRun, found_whole
from tests.os_faults import fault_at

before, place = Path(sys.argv[1]), Path(sys.argv[2])

def killed_at(number):
    shutil.copytree(before, place)
    child = os.fork()
    if not child:
        with fault_at(number, lambda: os._exit(9)):
            run.save()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

run = KeptRun(before).epochs(0.9, 0.5, 0.5)
run.epoch(0.6)
run.keeper.run = type(run.keeper.run)(place)
number = 0
while killed_at(number):
    sweep(place), sweep(place / "checkpoints")
    print(found_whole(place), *(p.name for p in place.rglob("*.tmp")))
    shutil.rmtree(place)
    number += 1
print("whole", found_whole(place))
"""

EVERY_WRITE = """
import sys
from pathlib import Path
from ftcli.errors import DiskFullError
from tests.checkpoints import KeptRun, found_whole
from tests.full_disk import full_from_write

def out_of_room(number):
    '''False once there are no more writes.'''
    run.epoch()
    last = run.progress.epoch
    try:
        with full_from_write(number) as asked:
            run.save()
        return False
    except DiskFullError as error:
        wanted = int(error.remedy.split(" bytes")[0].split()[-1].replace(",", ""))
        print(error.exit_code, wanted >= asked[number], last - found_whole(run.path), Path(error.where).name)
    run.save()
    assert found_whole(run.path) == last
    return True

run = KeptRun(Path(sys.argv[1])).epochs(0.5)
number = 0
while out_of_room(number):
    number += 1
for frozen in (4, 3, 2):  # each phase freezes what trained before: a new base
    run.enter_phase(list(run.state())[frozen:])
    run.keeper._base = None
    out_of_room(frozen)
print("end", number)
"""


def newest(folder: Path) -> tuple[Manifest, dict[str, torch.Tensor]]:
    found = newest_whole(folder, lambda finding: None)
    assert found is not None
    return found


def told(save: Callable[[], None]) -> list[MachineError]:
    try:
        save()
    except MachineError as error:
        return [error]
    return []


@pytest.mark.fault(3)
def test_refused_at_every_call(tmp_path: Path) -> None:
    """Told as the machine's fault or, where only something old was to be removed, not at all."""

    def refuse() -> None:
        raise OSError(EIO, "Input/output error")

    run = KeptRun(tmp_path / "run").epochs(0.9, 0.5, 0.5)
    number, refused = 0, []
    while True:
        run.epoch(0.6)
        epoch = run.progress.epoch
        before = newest(run.checkpoints)[0].progress["epoch"]
        with fault_at(number, refuse) as calls:
            refused += [calls.seen[number] for _ in told(run.save)]
        if number >= len(calls.seen):
            break
        manifest, tensors = newest(run.checkpoints)
        assert manifest.progress["epoch"] in (before, epoch)
        if manifest.progress["epoch"] == epoch:
            assert torch.equal(tensors["model/head.weight"], run.state()["head.weight"])
        number += 1
    assert {"open", "write", "fsync", "mkdir", "rename", "replace"} == set(refused)
    assert number > len(refused) > 15, "some are of removing only"
    run.save()
    again = taken_up(run.path)
    assert again is not None
    assert not again.keeper.noticed
    assert same(again.state(), run.state())
    assert [path.name for path in again.checkpoints.glob("*") if path.is_dir()] != []
    assert not list(run.path.rglob("*.tmp"))


@pytest.mark.fault(3)
def test_killed_at_every_call(tmp_path: Path) -> None:
    """One process for each call, ended there without a word; what it left aside is swept by the next start."""
    lines = python(EVERY_POINT, tmp_path / "before", tmp_path / "place").splitlines()
    assert len(lines) > 30
    found = [line.split() for line in lines[:-1]]
    assert {epochs for epochs, *_ in found} == {"3", "4"}
    assert all(len(words) == 1 for words in found), "nothing is left aside"
    assert lines[-1] == "whole 4"


@pytest.mark.fault(14)
def test_a_full_disk_at_every_write(tmp_path: Path) -> None:
    """The one before is there, the message says how much room is wanted, and with it the save succeeds."""
    *lines, end = python(EVERY_WRITE, tmp_path / "run").splitlines()
    found = [line.split() for line in lines]
    assert len(found) == int(end.removeprefix("end ")) + 3 >= 10
    assert {(code, enough) for code, enough, *_ in found} == {("23", "True")}
    lost = {name: lost for _, _, lost, name in found if not name.isdigit()}
    assert lost == {"base": "1", "latest.json": "0", "metrics.jsonl": "0"}
    assert all(lost == "1" for _, _, lost, name in found if name.isdigit())


def test_a_disk_that_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it gives back is not what it was given: told at once, and the old checkpoint stays."""
    import os

    run = KeptRun(tmp_path / "run").epochs(0.5)
    run.epoch()
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, raw: real(descriptor, bytes(len(raw))))
    with pytest.raises(MachineError, match="not what can be read back"):
        run.save()
    monkeypatch.undo()
    assert newest(run.checkpoints)[0].progress["epoch"] == 1


def test_another_living_process_s_files_are_left(tmp_path: Path) -> None:
    run = KeptRun(tmp_path / "run").epochs(0.5)
    living, dead = (
        run.checkpoints / ".000002.1.00c0ffee.tmp",
        run.path / ".metrics.jsonl.4194305.00c0ffee.tmp",
    )
    inside = run.checkpoints / "000001" / ".manifest.json.4194305.00c0ffee.tmp"
    inside.write_text("half")
    living.mkdir()
    dead.write_text("half")
    assert taken_up(run.path) is not None
    assert living.exists()
    assert not dead.exists()
    assert not inside.exists()


def test_a_folder_removed_in_between(tmp_path: Path) -> None:
    """Somebody tidied up by hand while the run was stopped: said, and not taken for a new run."""
    run = KeptRun(tmp_path / "run").epochs(0.5, 0.6, 0.7)
    shutil.rmtree(run.checkpoints / "000003")
    told: list[Finding] = []
    found = newest_whole(run.checkpoints, told.append)
    assert found is not None
    assert found[0].name == "000002"
    assert [finding.rule for finding in told] == ["checkpoint-damaged"]
    assert "missing" in told[0].message
