"""`ftcli cache ls` and `ftcli cache clear`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ftcli.engine.cache.manifest import DATA
from ftcli.engine.cache.store import Store
from ftcli.workflows.cache import DAY


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """With two images, used three days ago, and a tensor of four rows."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    store = Store(tmp_path / "ftcli" / "store", 2**30)
    with store.create_images("a" * 64, {"what": "pho[b]tos: images at 256 pixels"}, 1000) as images:
        for number in range(2):
            images.append(torch.zeros(3, 64, 64, dtype=torch.uint8), bytes([number] * 32))
    with store.create("b" * 64, "features", (4, 8), torch.bfloat16, {"what": "resnet18"}) as writer:
        writer.append(torch.zeros(4, 8, dtype=torch.bfloat16))
    data = store.folder / ("a" * 64) / DATA
    long_ago = data.stat().st_mtime - 3 * DAY
    os.utime(data, (long_ago, long_ago))
    return store


def left(store: Store) -> str:
    return "".join(entry.manifest.key[0] for entry in store.entries())


@pytest.mark.usefixtures("store")
def test_ls(ftcli: Callable) -> None:
    ended = ftcli("cache", "ls")
    assert ended.code == 0
    rows = [line.split() for line in ended.out.splitlines()]
    assert rows[0] == ["what", "kind", "size", "entries", "last", "used"]
    assert rows[2][:5] == ["resnet18", "features", "64", "B", "4"]
    assert rows[3][:9] == ["pho[b]tos:", "images", "at", "256", "pixels", "images", "24.1", "KiB", "2"]
    assert "24.2 KiB in" in ended.out.replace("\n", " ")
    assert "at most 20.0 GiB" in ended.out.replace("\n", " ")


def test_ls_as_json(ftcli: Callable, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTCLI_CACHE_GB", "3")
    told = ftcli("cache", "ls", "--json").json
    assert told["max_bytes"] == 3 * 2**30
    assert told["folder"] == str(store.folder)
    assert [(item["kind"], item["entries"]) for item in told["items"]] == [("features", 4), ("images", 2)]
    assert told["bytes"] == sum(item["bytes"] for item in told["items"])


def test_nothing_is_kept(ftcli: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert ftcli("cache", "ls").out.startswith("0 B in")  # the folder may begin a line of its own
    assert ftcli("cache", "clear", "--yes").out == "removed 0 entries, 0 B\n"
    monkeypatch.setenv("FTCLI_CACHE_GB", "0")
    assert "off: FTCLI_CACHE_GB is 0" in ftcli("cache", "ls").out.replace("\n", " ")


@pytest.mark.parametrize(
    ("options", "stays"),
    [
        ([], ""),
        (["--kind", "images"], "b"),
        (["--kind", "features"], "a"),
        (["--older", "2"], "b"),
        (["--older", "4"], "ab"),
        (["--kind", "features", "--older", "2"], "ab"),
    ],
)
def test_clear(ftcli: Callable, store: Store, options: list[str], stays: str) -> None:
    told = ftcli("cache", "clear", "--yes", "--json", *options).json
    assert left(store) == stays
    assert "".join(sorted(item["key"][0] for item in told["removed"])) == "".join(sorted({*"ab"} - {*stays}))
    assert told["kept"] == []


def test_what_is_in_use_stays(ftcli: Callable, store: Store) -> None:
    used = store.open("b" * 64)
    assert ftcli("cache", "clear", "--yes").out == "removed 1 entry, 24.1 KiB; 1 entry in use stayed\n"
    assert left(store) == "b"
    assert used is not None


def test_nothing_is_removed_unasked(ftcli: Callable, store: Store) -> None:
    for options in ([], ["--json"]):
        ended = ftcli("cache", "clear", *options)
        assert ended.code == 2
        assert "--yes" in ended.err
    assert left(store) == "ab"


@pytest.mark.parametrize(("answer", "stays"), [("n\n", "ab"), ("y\n", "")])
def test_who_is_there_is_asked(
    ftcli: Callable, store: Store, answer: str, stays: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal(answer))
    ended = ftcli("cache", "clear")
    assert ended.code == 0
    assert "resnet18" in ended.out
    assert left(store) == stays


def test_a_bound_that_is_no_number(ftcli: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTCLI_CACHE_GB", "much")
    ended = ftcli("cache", "ls")
    assert ended.code == 2
    assert "FTCLI_CACHE_GB" in ended.err
