"""The list of backbones is asked for once, and again when a library is another or the file is damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ftcli.engine.cache import listing
from ftcli.engine.cache.listing import Listing, kept_listing
from ftcli.workflows.cache import clear_cache

ALL = {"torchvision": [("resnet18", "IMAGENET1K_V1")], "timm": [("test_vit", None)]}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "ftcli"


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def ask(asked: list[str]) -> Callable[[str | None], Listing]:
    """The list by way of the cache, which leaves a word in `asked` when the libraries are asked."""

    def by_cache(only: str | None = None) -> Listing:
        def libraries() -> Listing:
            asked.append(only or "all")
            return ALL if only is None else {only: ALL[only]}

        return kept_listing(only, libraries)

    return by_cache


def test_it_is_asked_once(home: Path, ask, asked: list[str]) -> None:  # type: ignore[no-untyped-def]
    assert ask(None) == ask(None) == ALL
    assert ask("timm")["timm"] == ALL["timm"]
    assert asked == ["all"]


def test_of_one_source_no_other_is_asked(home: Path, ask, asked: list[str]) -> None:  # type: ignore[no-untyped-def]
    assert ask("timm") == ask("timm") == {"timm": ALL["timm"]}
    assert ask(None) == ALL
    assert asked == ["timm", "all"]


def test_another_version_is_asked_anew(home: Path, ask, asked: list[str], monkeypatch) -> None:  # type: ignore[no-untyped-def]
    ask(None)
    monkeypatch.setattr(listing, "version", lambda name: "99.0")
    ask(None)
    assert asked == ["all", "all"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"key": 1}', '{"key": KEY, "backbones": {"timm": [1]}}'])
def test_a_damaged_list_is_asked_anew(home: Path, ask, asked: list[str], text: str) -> None:  # type: ignore[no-untyped-def]
    ask(None)
    path = home / "backbones" / "all.json"
    path.write_text(text.replace("KEY", json.dumps(json.loads(path.read_text())["key"])))
    assert ask(None) == ask(None) == ALL
    assert asked == ["all", "all"]


def test_where_nothing_may_be_kept_nothing_is(home: Path, ask, asked: list[str], monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("FTCLI_CACHE_GB", "0")
    assert ask(None) == ask(None) == ALL
    assert asked == ["all", "all"]
    assert not home.exists()


def test_a_home_that_cannot_be_written_is_no_error(home: Path, ask, asked: list[str]) -> None:  # type: ignore[no-untyped-def]
    home.write_text("a file")
    assert ask(None) == ask(None) == ALL
    assert asked == ["all", "all"]


def test_it_goes_with_the_rest_of_the_cache(home: Path, ask, asked: list[str]) -> None:  # type: ignore[no-untyped-def]
    ask(None)
    clear_cache("images", None)
    ask(None)
    assert asked == ["all"]
    clear_cache(None, None)
    ask(None)
    assert asked == ["all", "all"]
