"""An output that cannot be written is told before anything is read: exit code 3, whatever the data are like."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp

import pytest

ROOT = Path(__file__).parents[2]
OUTPUTS = {
    "train": ["train", "toy.yaml", "--set", "data.path=gone", "--out", "OUT"],
    "init": ["init", "gone", "--out", "OUT"],
    "audit --html": ["audit", "gone", "--html", "OUT"],
    "audit --fix-split": ["audit", "gone", "--fix-split", "OUT"],
    "plan --write": ["plan", "--dataset-size", "100", "--domain", "close", "--write", "OUT"],
    "schema --out": ["schema", "--out", "OUT"],
    "recipes cp": ["recipes", "cp", "quickstart", "OUT"],
}
NOBODY = 65534
AS_NOBODY = f"""
import os, sys
from ftcli.cli.app import call
from ftcli.cli.outcome import run
run(call, [*sys.argv[1:], "--out", "/proc/x/y"])  # imports what nobody may not read, where Python is root's
sys.stderr.write("as nobody\\n")
if os.geteuid() == 0:
    os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})
sys.exit(run(call, sys.argv[1:]))
"""
READ_ONLY_DISK = 'mount -t tmpfs -o ro none "$1" && shift && exec "$@"'


@pytest.mark.fault(15)
@pytest.mark.parametrize("out", ["/proc/x/y.yaml", "/proc/y.yaml", "toy.yaml/y.yaml"])
@pytest.mark.parametrize("command", OUTPUTS)
def test_where_nobody_can_write(ftcli, place, command, out):
    before = {path: path.read_bytes() for path in place.iterdir()}
    ended = ftcli(*[out if part == "OUT" else part for part in OUTPUTS[command]])
    assert ended.code == 3, ended.err
    assert ended.err.startswith("error: ")
    assert out.rpartition("/")[0] in ended.err
    assert "gone" not in ended.err
    assert len(ended.err.splitlines()) >= 2, "what to do stands below what happened"
    assert ended.out == ""
    assert {path: path.read_bytes() for path in place.iterdir()} == before


def in_child(code: list[str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*code, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
    )


@pytest.mark.fault(15)
def test_a_folder_of_somebody_else_s(place):
    """By default a run goes to runs/ in the current folder; here that may be read and no more."""
    theirs = Path(mkdtemp(prefix="ftcli-"))  # pytest's own folders are closed to others
    try:
        shutil.copy("toy.yaml", theirs)
        theirs.chmod(0o555)
        gone = ["train", "toy.yaml", "--set", "data.path=gone"]
        ended = in_child([sys.executable, "-c", AS_NOBODY], theirs, *gone)
        assert ended.returncode == 3, ended.stderr
        told = ended.stderr.partition("as nobody\n")[2]
        assert told.startswith("error: cannot write to the run folder: Permission denied")
        assert "give another --out" in told
        assert [path.name for path in theirs.iterdir()] == ["toy.yaml"]
    finally:
        theirs.chmod(0o755)
        shutil.rmtree(theirs)


@pytest.mark.slow
@pytest.mark.fault(15)
def test_a_disk_that_is_read_only(place):
    (place / "disk").mkdir()
    mounted = ["unshare", "-rm", "sh", "-c", READ_ONLY_DISK, "sh", "disk"]
    if shutil.which("unshare") is None or in_child(mounted, place, "true").returncode:
        pytest.skip("no disk can be mounted here")
    gone = ["train", "toy.yaml", "--set", "data.path=gone", "--out", "disk/run"]
    ended = in_child([*mounted, sys.executable, "-m", "ftcli"], place, *gone)
    assert ended.returncode == 3, ended.stderr
    assert "Read-only file system" in ended.stderr
