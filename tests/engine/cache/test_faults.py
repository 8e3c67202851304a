"""Killed, short of disk, not allowed, or two at once: each for real, and none of them costs more than the cache."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ftcli.engine import locks
from ftcli.engine.cache.manifest import DATA
from ftcli.engine.cache.store import NAMELESS_SECONDS, Store
from ftcli.findings import Finding
from tests.full_disk import python_where_files_end_at

KEY = "a" * 64
LARGE = 2**30
ROWS = torch.arange(4000).view(40, 100)

FILL = """
import sys, torch
from pathlib import Path
from ftcli.engine.cache.store import Store
rows = torch.arange(4000).view(40, 100)
with Store(Path(sys.argv[1]), 2**30).create("a" * 64, "features", (40, 100), torch.int64, {}) as writer:
    for number, row in enumerate(rows.split(1)):
        writer.append(row)
        if number == 20:
            print("half", flush=True)
            sys.stdin.readline()
print("ok" if Store(Path(sys.argv[1]), 2**30).open("a" * 64) is not None else "nothing")
"""


def filling(folder: Path) -> subprocess.Popen[str]:
    """A process that has written half of the entry, and goes on when it is sent a line."""
    started = subprocess.Popen(
        [sys.executable, "-c", FILL, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "half\n"
    return started


def fill(store: Store) -> None:
    with store.create(KEY, "features", ROWS.shape, ROWS.dtype, {"what": "numbers"}) as writer:
        writer.append(ROWS)


def test_killed_while_it_fills(tmp_path: Path) -> None:
    process = filling(tmp_path)
    store = Store(tmp_path, LARGE)
    (aside,) = tmp_path.iterdir()
    store.sweep()
    assert aside.exists(), "of a living process"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert store.open(KEY) is None
    assert not store.entries()
    fill(store)
    assert not aside.exists()
    found = store.open(KEY)
    assert found is not None
    assert torch.equal(found, ROWS)


def test_two_processes_fill_one_entry(tmp_path: Path) -> None:
    both = [filling(tmp_path), filling(tmp_path)]
    assert len(list(tmp_path.iterdir())) == 2
    ends = [process.communicate("go on\n") for process in both]
    assert [out for out, _ in ends] == ["ok\n", "ok\n"], ends
    assert [path.name for path in tmp_path.iterdir()] == [KEY]
    assert torch.equal(Store(tmp_path, LARGE).open(KEY), ROWS)  # type: ignore[arg-type]


def test_an_entry_of_another_living_process_is_in_use(tmp_path: Path) -> None:
    fill(Store(tmp_path, LARGE))
    code = (
        "import sys; from pathlib import Path; from ftcli.engine.cache.store import Store\n"
        "used = Store(Path(sys.argv[1]), 2**30).open('a' * 64)\n"
        "print('open', flush=True); sys.stdin.readline()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    store = Store(tmp_path, LARGE)
    (entry,) = store.entries()
    assert not store.remove(entry)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert store.remove(entry)
    assert not list(tmp_path.iterdir())


FILL_A_FULL_DISK = """
import sys, torch
from pathlib import Path
from ftcli.engine.cache.store import Store
rows = torch.arange(4000).view(40, 100)
store = Store(Path(sys.argv[1]), 2**30, lambda finding: print(finding.rule, finding.message))
with store.create("a" * 64, "features", rows.shape, rows.dtype, {"what": "numbers"}) as writer:
    print(writer.ok)
    for row in rows.split(1):
        writer.append(row)
    print(writer.ok)
print(store.open("a" * 64))
"""


def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    begun, told, gone_on, found = python_where_files_end_at(10_000, FILL_A_FULL_DISK, tmp_path).splitlines()
    assert (begun, gone_on, found) == ("True", "False", "None")
    assert told.startswith("cache-full ")
    assert "File too large" in told
    assert not list(tmp_path.iterdir())


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Not pytest's own: those are for their owner alone, whatever a test makes of them, once another pytest begins."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        yield Path(place)


def test_a_folder_that_may_only_be_read(open_folder: Path) -> None:
    """As a user who may not: root may everything."""
    place = open_folder / "store"
    fill(Store(place, LARGE))
    code = (
        "import os, sys, torch\n"
        "from pathlib import Path; from ftcli.engine.cache.store import Store\n"
        "os.geteuid() == 0 and os.seteuid(65534)\n"
        "store = Store(Path(sys.argv[1]), 2**30, lambda finding: print(finding.rule))\n"
        "for key in 'bc':\n"
        "    with store.create(key * 64, 'features', (2,), torch.int64, {}) as writer:\n"
        "        writer.append(torch.zeros(2).long())\n"
        "print(store.open('a' * 64).sum().item(), store.open('b' * 64))"
    )
    for path in (place, place / KEY):
        path.chmod(0o555)
    done = subprocess.run(
        [sys.executable, "-c", code, str(place)], capture_output=True, text=True, check=False
    )
    for path in (place, place / KEY):
        path.chmod(0o755)
    assert done.stdout == f"cache-unwritable\n{ROWS.sum().item()} None\n", done.stderr


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    told: list[Finding] = []
    (tmp_path / "store").write_text("")
    store = Store(tmp_path / "store", LARGE, told.append)
    assert store.open(KEY) is None
    fill(store)
    assert [finding.rule for finding in told] == ["cache-unwritable"]
    assert store.entries() == []


def test_a_folder_aside_without_a_file_is_given_time(tmp_path: Path) -> None:
    new, old = tmp_path / ".tmp-1-new", tmp_path / ".tmp-1-old"
    new.mkdir()
    old.mkdir()
    long_ago = old.stat().st_mtime - NAMELESS_SECONDS - 1
    os.utime(old, (long_ago, long_ago))
    Store(tmp_path, LARGE).sweep()
    assert [path.name for path in tmp_path.iterdir()] == [new.name]


def test_a_mapping_outlives_the_name(tmp_path: Path) -> None:
    """Even where somebody removes the folder by hand."""
    import shutil

    store = Store(tmp_path, LARGE)
    fill(store)
    found = store.open(KEY)
    shutil.rmtree(tmp_path / KEY)
    assert torch.equal(found, ROWS)  # type: ignore[arg-type]
    assert store.open(KEY) is None


def test_what_was_swept_before_it_was_locked_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening a file and locking it nobody can see that it is in use."""
    told: list[Finding] = []
    share, swept = locks.share, []

    def sweep_first(descriptor: int) -> bool:
        if not swept:
            swept.extend(tmp_path.iterdir())
            Store(tmp_path, LARGE).sweep()
        return share(descriptor)

    monkeypatch.setattr(locks, "share", sweep_first)
    fill(Store(tmp_path, LARGE, told.append))
    assert len(swept) == 1
    assert not swept[0].exists()
    assert torch.equal(Store(tmp_path, LARGE).open(KEY), ROWS)  # type: ignore[arg-type]
    assert not told


@pytest.mark.skipif(not locks.are_known(), reason="the system has no such locks")
def test_who_only_looks_is_waited_for(tmp_path: Path) -> None:
    """To see whether a file is in use it is locked for a moment, by a sweep or by another that makes room."""
    import fcntl

    store = Store(tmp_path, LARGE)
    fill(store)
    (entry,) = store.entries()
    with (entry.folder / DATA).open("rb") as file:
        for ask in (lambda: store.open(KEY) is not None, lambda: store.remove(entry)):
            fcntl.flock(file, fcntl.LOCK_EX)
            looks = threading.Timer(0.005, lambda: fcntl.flock(file, fcntl.LOCK_UN))
            looks.start()
            assert ask()
            looks.join()
