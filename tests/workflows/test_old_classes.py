"""Folders and the outputs that they stand for."""

from __future__ import annotations

import pytest

from ftcli.errors import DataError
from ftcli.workflows.old_classes import outputs_of

IMAGENET = (
    "n02123045, tabby, tabby cat",
    "n02012849, crane",
    "n03126707, crane",
    "n02099601, golden retriever",
)


def outputs(folders: list[str], names: tuple[str, ...] = IMAGENET) -> list[int]:
    return list(outputs_of(folders, names, len(names), "old").values())


@pytest.mark.parametrize(
    "folder", ["tabby", "tabby cat", "Tabby_Cat", "n02123045", "n02123045, tabby, tabby cat"]
)
def test_any_of_its_names_is_a_class(folder: str) -> None:
    assert outputs([folder, "golden_retriever"]) == [0, 3]


def test_an_index_may_have_zeros_before_it() -> None:
    assert outputs(["0", "0003"]) == [0, 3]
    assert list(outputs_of(["281"], (), 1000, "old").values()) == [281]


def test_where_names_are_numbers_an_index_is_none() -> None:
    """A head of the digits 5 to 9: its output 0 is a five."""
    names = ("5", "6", "7", "8", "9")
    assert outputs(["5", "9"], names) == [0, 4]
    with pytest.raises(DataError, match="'0'"):
        outputs(["0"], names)


def test_what_is_none_of_them_is_told_at_once_with_the_nearest() -> None:
    with pytest.raises(DataError) as caught:
        outputs(["taby", "golden retreiver", "tabby", "4"])
    assert "'taby' (nearest: tabby" in caught.value.what
    assert "'golden retreiver' (nearest: golden retriever)" in caught.value.what
    assert "'4' (indices are 0 to 3)" in caught.value.what
    assert caught.value.where == "old"
    assert caught.value.exit_code == 4


def test_where_no_name_is_near_some_are_told() -> None:
    with pytest.raises(DataError, match=r"'zebra' \(classes are 5, 6\)"):
        outputs(["zebra"], ("5", "6"))
    with pytest.raises(DataError, match=r"'zebra' \(indices are 0 to 999\)"):
        outputs_of(["zebra"], (), 1000, "old")


def test_a_name_of_two_classes_is_not_guessed() -> None:
    with pytest.raises(DataError, match=r"'crane' \(may be 1 \(n02012849, crane\) or 2"):
        outputs(["crane"])


def test_two_folders_are_not_one_class() -> None:
    with pytest.raises(DataError, match=r"several folders stand for one class.*tabby, n02123045"):
        outputs(["tabby", "n02123045", "n03126707"])
