"""What is remembered of files: their contents' digests, as long as nothing has touched them."""

from __future__ import annotations

import os
import time
from hashlib import sha256
from pathlib import Path

import pytest

from ftcli.engine.cache import keys, stamps
from ftcli.engine.cache.stamps import contents_of


@pytest.fixture
def files(tmp_path: Path) -> dict[int, Path]:
    """Three files, written long enough ago by the clock of `stamps`."""
    (tmp_path / "data").mkdir()
    found = {}
    for number in (0, 5, 9):
        found[number] = tmp_path / "data" / f"{number}.png"
        found[number].write_bytes(bytes([number]) * 100)
    return found


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which files were read; all of them count as settled."""
    found: list[str] = []
    of_file = keys.of_file
    monkeypatch.setattr(keys, "of_file", lambda path: found.append(path.name) or of_file(path))
    monkeypatch.setattr(stamps, "SETTLED_NS", -(10**9))
    return found


def test_a_file_is_read_once(tmp_path: Path, files: dict[int, Path], read: list[str]) -> None:
    for _ in range(2):
        found = contents_of(files, "data", tmp_path / "stamps", 2)
        assert {i: c.digest for i, c in found.items()} == {
            i: sha256(path.read_bytes()).digest() for i, path in files.items()
        }
    assert sorted(read) == ["0.png", "5.png", "9.png"]


def test_a_file_is_read_again_when_anything_about_it_differs(
    tmp_path: Path, files: dict[int, Path], read: list[str]
) -> None:
    contents_of(files, "data", tmp_path / "stamps", 1)
    read.clear()
    before = files[5].stat()
    time.sleep(0.02)  # a tick of the file system's clock
    files[5].write_bytes(b"x" * 100)
    os.utime(files[5], ns=(before.st_atime_ns, before.st_mtime_ns))
    files[0].unlink()
    found = contents_of(files, "data", tmp_path / "stamps", 1)
    assert read == ["5.png"]
    assert found.keys() == {5, 9}


def test_a_file_of_a_moment_ago_is_not_remembered(tmp_path: Path, files: dict[int, Path]) -> None:
    contents_of(files, "data", tmp_path / "stamps", 1)
    assert not (tmp_path / "stamps").exists()


@pytest.mark.parametrize("damage", [b"", b"PK\\3\\4 no", None])
def test_a_record_that_is_damaged_is_none(
    tmp_path: Path, files: dict[int, Path], read: list[str], damage: bytes | None
) -> None:
    contents_of(files, "data", tmp_path / "stamps", 1)
    (record,) = (tmp_path / "stamps").iterdir()
    record.write_bytes(record.read_bytes()[:-30] if damage is None else damage)
    assert len(contents_of(files, "data", tmp_path / "stamps", 1)) == 3
    assert len(read) == 6


def test_a_folder_that_cannot_be_written_costs_time_alone(
    tmp_path: Path, files: dict[int, Path], read: list[str]
) -> None:
    (tmp_path / "stamps").write_text("")
    assert len(contents_of(files, "data", tmp_path / "stamps", 1)) == 3
