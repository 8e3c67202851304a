"""Near copies are recalled for the very same images in the same order, and for no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ftcli.engine.audit import recall
from ftcli.engine.audit.recall import pairs_file, recalled
from ftcli.engine.audit.search import NearPairs

IMAGES = [bytes([number]) * 32 for number in range(3)]
FOUND = NearPairs(
    pairs=np.array([[0, 2]], np.int32),
    rest=np.array([0.03], np.float32),
    mirrored=np.array([True]),
    zoom=np.array([0.02], np.float32),
    gain=np.array([1.2], np.float32),
)


class Search:
    """Finds FOUND, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> NearPairs:
        self.asked += 1
        return FOUND


@pytest.fixture
def search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Search:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Search()


def test_the_second_time_nothing_is_searched(search: Search) -> None:
    recalled("photos", IMAGES, search)
    again = recalled("photos", IMAGES, search)
    assert search.asked == 1
    for name, column in vars(FOUND).items():
        assert np.array_equal(getattr(again, name), column)
        assert getattr(again, name).dtype == column.dtype


@pytest.mark.parametrize(
    "others", [IMAGES[:2], IMAGES[::-1], [*IMAGES, b"\7" * 32], [*IMAGES[:2], b"\7" * 32]]
)
def test_other_images_are_searched_anew(search: Search, others: list[bytes]) -> None:
    recalled("photos", IMAGES, search)
    recalled("photos", others, search)
    assert search.asked == 2


def test_so_are_the_same_under_another_name(search: Search) -> None:
    recalled("photos", IMAGES, search)
    recalled("pictures", IMAGES, search)
    assert search.asked == 2


@pytest.mark.parametrize(("module", "name"), [(recall, "VERSION"), (recall.cache, "VERSION")])
def test_so_are_all_when_the_search_or_the_fingerprints_are_others(
    search: Search, monkeypatch: pytest.MonkeyPatch, module: object, name: str
) -> None:
    recalled("photos", IMAGES, search)
    monkeypatch.setattr(module, name, 99)
    recalled("photos", IMAGES, search)
    assert search.asked == 2


@pytest.mark.parametrize("damage", [b"", b"PK nonsense", None])
def test_a_damaged_record_is_none(search: Search, damage: bytes | None) -> None:
    recalled("photos", IMAGES, search)
    path = pairs_file("photos")
    path.write_bytes(path.read_bytes()[:-100] if damage is None else damage)
    assert recalled("photos", IMAGES, search).pairs.tolist() == [[0, 2]]
    assert search.asked == 2
