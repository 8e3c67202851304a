"""A summary of data, from an audit, and what a recipe's comments tell of it."""

from __future__ import annotations

from pathlib import Path

from ftcli.planner.data_remarks import remarks
from ftcli.plans.data_summary import DataSummary, summary_of
from ftcli.report.console import console_for
from ftcli.report.data_summary import data_summary_view
from ftcli.workflows.audit import audit_splits
from ftcli.workflows.audit_data import open_data
from tests.toys import write_digits


def summary(folder: Path) -> DataSummary:
    splits = open_data(folder).splits
    return summary_of(splits, audit_splits(splits, cached=False))


def test_what_was_seen_is_counted(tmp_path: Path) -> None:
    folder = write_digits(tmp_path / "digits", per_class=20, classes=2)
    (folder / "digit 1" / "again.png").write_bytes((folder / "digit 1" / "003.png").read_bytes())
    found = summary(folder)
    assert found.classes == {"digit 0": 20, "digit 1": 21}
    assert sum(found.streams.values()) == found.num_images == 41
    assert (found.width.least, found.height.most, found.shorter_side, found.stretch) == (8, 8, 8, 1.0)
    assert found.exact_copies == 1
    assert found.imbalance == 21 / 20
    told = list(remarks(found, None, "ftcli audit digits"))
    assert told[0] == "Classes have 20 to 21 images."
    assert "1 exact and" in told[1]
    assert "ftcli audit digits --fix-split split.json" in told[1]


def test_classes_out_of_balance_are_told(tmp_path: Path) -> None:
    folder = write_digits(tmp_path / "digits", per_class=40, classes=2)
    for file in sorted((folder / "digit 0").iterdir())[8:]:
        file.unlink()
    found = summary(folder)
    assert found.imbalance == 5
    assert "out of balance" in list(remarks(found, None, "ftcli audit digits"))[1]


def test_of_many_classes_the_largest_and_the_smallest_are_shown(tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    import sys

    folder = write_digits(tmp_path / "digits", per_class=12, classes=8)
    for label in (2, 5):
        (folder / f"digit {label}" / "000.png").unlink()
    console_for(sys.stdout).print(data_summary_view(summary(folder), None))
    text = " ".join(capsys.readouterr().out.split())
    assert "8: digit 0 12, digit 1 12, digit 3 12, ..., digit 2 11, digit 5 11" in text
