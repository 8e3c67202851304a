"""Cells of the planner's study: so many pictures, the same test for all, nothing in both."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.studies.planner_data import NUM_TEST, digits, write_cell


def names(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*.png")}


def test_cells_differ_in_their_training_pictures_alone(tmp_path: Path) -> None:
    pictures = digits()
    for size, seed in ((50, 0), (50, 1), (800, 0)):
        write_cell(pictures, size, seed, tmp_path / f"{size}-{seed}")
    small, other, large = (tmp_path / name for name in ("50-0", "50-1", "800-0"))
    assert [len(names(cell / "train")) for cell in (small, other, large)] == [50, 50, 800]
    assert len(names(small / "test")) == NUM_TEST
    assert names(small / "test") == names(other / "test") == names(large / "test")
    assert names(small / "train") != names(other / "train")
    assert not names(large / "train") & names(large / "test")
    assert all(len(list(each.iterdir())) >= 3 for each in (small / "train").iterdir())


def test_more_than_there_are_cannot_be_had(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="900 training pictures of 807"):
        write_cell(digits(), 900, 0, tmp_path)
