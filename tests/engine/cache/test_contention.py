"""Several processes at one store: nothing half-valid is read, nothing that was filled is lost, nobody is misled."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ftcli.engine.cache.manifest import DATA
from ftcli.engine.cache.store import Store
from tests.engine.cache.contention import BYTES, key_of, rows_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, and locks of POSIX")
ENTRIES = 6


def contend(folder: Path, *options: str) -> dict[str, int]:
    """What all of them saw, counted."""
    command = [sys.executable, "-m", "tests.engine.cache.contention", str(folder), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen: dict[str, int] = json.loads(done.stdout)
    return seen


def assert_sound(folder: Path, seen: dict[str, int], room: float = 100.0) -> None:
    """Afterwards too: each entry is whole, within the bound, and nothing is left aside once it is swept."""
    assert seen["found"] > 0
    assert not {"wrong", "cache-damaged", "cache-unwritable"} & seen.keys(), seen
    store = Store(folder, int(room * BYTES))
    store.sweep()
    # A folder without a file in it, of a process that was killed when it had only begun, is given an hour.
    kept = {path.name for path in folder.iterdir() if (path / DATA).exists()}
    assert kept <= {key_of(number) for number in range(ENTRIES)}
    for number in range(ENTRIES):
        found = store.open(key_of(number))
        assert (found is not None) == (key_of(number) in kept)
        assert found is None or torch.equal(found, rows_of(number))


FORMS = [
    pytest.param(("3", "1"), id="short"),
    pytest.param(("8", "20"), id="long", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("form", FORMS)
def test_with_room_for_all_what_was_filled_is_found(form: tuple[str, str], tmp_path: Path) -> None:
    """Others sweep and look whether it is in use, which takes its lock for a moment: no reason to miss it."""
    seen = contend(tmp_path, "--processes", form[0], "--seconds", form[1])
    assert not {"lost", "no room", "cache-full"} & seen.keys(), seen
    assert_sound(tmp_path, seen)


@pytest.mark.slow
def test_without_room_and_with_removing(tmp_path: Path) -> None:
    """What goes is missed, and never wrong."""
    options = ("--processes", "6", "--seconds", "15", "--room", "3.5", "--removing")
    seen = contend(tmp_path, *options)
    assert seen["removed"] > 0
    assert_sound(tmp_path, seen, 3.5)


@pytest.mark.parametrize("form", FORMS)
def test_while_some_are_killed(form: tuple[str, str], tmp_path: Path) -> None:
    seen = contend(tmp_path, "--processes", form[0], "--seconds", form[1], "--room", "4.5", "--killed")
    assert_sound(tmp_path, seen, 4.5)
