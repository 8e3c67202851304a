"""A run folder belongs to one process at a time, and to nobody when that process is gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ftcli.engine.run_folder import claimed_run_folder
from ftcli.engine.run_lock import NAME, held, refuse_if_held, remove_left
from ftcli.errors import MachineError, RunLockedError
from tests.full_disk import python_where_files_end_at

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")
ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from pathlib import Path
from ftcli.engine.run_lock import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
FORK = """
import os, sys, time
from pathlib import Path
from ftcli.engine.run_lock import held
with held(Path(sys.argv[1])):
    if os.fork() == 0:
        os.write(1, b"%d\\n" % os.getpid())  # it has begun, and let go
    time.sleep(60)
"""


def test_a_second_one_is_refused_and_told_who_was_first(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(RunLockedError) as caught, held(tmp_path):
        pass
    assert caught.value.exit_code == 24
    assert f"process {os.getpid()} on " in caught.value.what
    assert " since 2" in caught.value.what
    assert caught.value.where == str(tmp_path)


def test_a_disk_without_room_for_it_is_told_as_such(tmp_path: Path) -> None:
    """And what could not be signed is not held: the second attempt fails for the same reason."""
    code = """
import sys
from pathlib import Path
from ftcli.engine.run_lock import held
from ftcli.errors import FtcliError
for _ in range(2):
    try:
        with held(Path(sys.argv[1])):
            print("held")
    except FtcliError as error:
        print(error.exit_code, "make room" in error.remedy)
"""
    assert python_where_files_end_at(0, code, tmp_path).splitlines() == ["23 True", "23 True"]
    with held(tmp_path):
        pass


def test_it_goes_with_its_holder(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(RunLockedError):
        refuse_if_held(tmp_path)
    assert not list(tmp_path.iterdir())
    refuse_if_held(tmp_path)
    with held(tmp_path):
        pass


def test_what_a_killed_process_leaves_is_taken_over(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(RunLockedError, match=f"process {process.pid} on "):
            refuse_if_held(tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (tmp_path / NAME).exists()
    with held(tmp_path):
        assert json.loads((tmp_path / NAME).read_text())["pid"] == os.getpid()


def test_what_a_killed_process_leaves_is_removed(tmp_path: Path) -> None:
    remove_left(tmp_path)
    assert not list(tmp_path.iterdir())
    (tmp_path / NAME).touch()
    remove_left(tmp_path)
    assert not list(tmp_path.iterdir())
    with held(tmp_path):
        remove_left(tmp_path)
        assert (tmp_path / NAME).exists(), "somebody is at work"


def test_a_child_that_outlives_its_parent_holds_nothing(tmp_path: Path) -> None:
    """As a loader's worker does for some seconds."""
    with subprocess.Popen(
        [sys.executable, "-c", FORK, tmp_path], stdout=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            process.send_signal(signal.SIGKILL)
            process.wait()
            os.kill(child, 0)
            with held(tmp_path):
                pass
        finally:
            os.kill(child, signal.SIGKILL)


def test_what_a_run_left_that_never_began_is_no_obstacle(tmp_path: Path) -> None:
    for name in (NAME, ".writable", ".recipe.yaml.4194304.0123abcd.tmp"):
        (tmp_path / name).touch()
    with claimed_run_folder(tmp_path, "toy") as run:
        assert run.path == tmp_path


def test_a_folder_of_somebody_else_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(MachineError, match="not empty"), claimed_run_folder(tmp_path, "toy"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]
