import signal
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

import pytest

from ftcli.engine import files
from ftcli.engine.files import replace_file, write_text
from ftcli.engine.run_folder import check_run_folder, new_run_folder, open_run_folder
from ftcli.errors import MachineError, RunLockedError
from ftcli.stopping import Terminated, listening


def test_default_folders_are_numbered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = new_run_folder(None, "toy")
    (first.path / "x").touch()
    assert str(first.path) == "runs/toy"
    assert str(new_run_folder(None, "toy").path) == "runs/toy-2"


def test_a_folder_with_something_in_it_is_not_taken(tmp_path):
    (tmp_path / "x").touch()
    with pytest.raises(MachineError, match="not empty") as caught:
        new_run_folder(tmp_path, "toy")
    assert caught.value.exit_code == 3


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MachineError, match="cannot write"):
        new_run_folder(tmp_path / "file" / "run", "toy")


def test_what_is_no_run_folder(tmp_path):
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(MachineError):
            open_run_folder(path)


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fail(aside):
        aside.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(MachineError, match="No space left"):
        replace_file(path, fail)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_what_a_complete_run_leaves(tmp_path):
    """Neither checkpoints nor what a killed process had begun; what is the user's stays."""
    run = new_run_folder(tmp_path / "run", "toy")
    (run.checkpoints / "000001").mkdir(parents=True)
    for name in (".summary.json.4194305.00c0ffee.tmp", ".mine.tmp"):
        (run.path / name).touch()
    run.complete({"epochs_run": 1})
    assert {path.name for path in run.path.iterdir()} == {"summary.json", ".mine.tmp"}


def test_a_trial_leaves_nothing(tmp_path):
    check_run_folder(tmp_path / "new" / "run", "run")
    assert not list(tmp_path.iterdir())
    (tmp_path / "empty").mkdir()
    check_run_folder(tmp_path / "empty", "run")
    assert not list((tmp_path / "empty").iterdir())
    (tmp_path / "empty" / "note.txt").write_text("mine")
    with pytest.raises(MachineError, match="not empty"):
        check_run_folder(tmp_path / "empty", "run")
    assert [path.name for path in (tmp_path / "empty").iterdir()] == ["note.txt"]


def _try_often(path, times):
    for _ in range(times):
        with suppress(RunLockedError):
            check_run_folder(path, "toy")


def test_trials_at_the_same_moment_do_not_disturb_one_another(tmp_path):
    """Each makes the folder, and removes it: none takes that for a folder which cannot be written."""
    with ProcessPoolExecutor(3, mp_context=get_context("forkserver")) as pool:
        for trial in [pool.submit(_try_often, tmp_path / "a" / "run", 200) for _ in range(3)]:
            trial.result()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_folder_that_goes_between_two_looks_is_no_obstacle(tmp_path, monkeypatch):
    """Python's own mkdir looks twice: whether it is there, then whether it is a folder."""
    mkdir, looks = Path.mkdir, []

    def between(path, *given, **options):
        looks.append(path)
        if looks == [tmp_path / "run"]:
            raise FileExistsError(17, "File exists", str(path))
        mkdir(path, *given, **options)

    monkeypatch.setattr(Path, "mkdir", between)
    check_run_folder(tmp_path / "run", "toy")
    assert looks[:2] == [tmp_path / "run"] * 2


def test_a_signal_while_a_run_is_completed_leaves_nothing_half_removed(tmp_path, monkeypatch):
    run = new_run_folder(tmp_path / "run", "toy")
    (run.checkpoints / "000001").mkdir(parents=True)
    (run.checkpoints / "000001" / "weights").write_bytes(b"x")
    removed = files._remove

    def with_a_signal(path):
        if "checkpoints" in path.name:
            signal.raise_signal(signal.SIGTERM)
        removed(path)

    monkeypatch.setattr(files, "_remove", with_a_signal)
    with pytest.raises(Terminated), listening():
        run.complete({"run": "toy"})
    assert [path.name for path in run.path.iterdir()] == ["summary.json"]
