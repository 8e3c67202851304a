"""Texts in tables and folders: what is read, how it is divided, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftcli.components.data import text_csv, text_folder
from ftcli.components.data.text_csv import TextTable
from ftcli.components.data.text_folder import TextFolder
from ftcli.errors import DataError
from ftcli.plans.data_splits import TEST, TRAIN, VAL, DataSplits, split_record


def table(path: Path, **options: object) -> DataSplits:
    return text_csv.open_splits(TextTable(kind="text_csv", path=str(path), **options), 0)  # type: ignore[arg-type]


def folder(path: Path, **options: object) -> DataSplits:
    return text_folder.open_splits(TextFolder(kind="text_folder", path=str(path), **options), 0)  # type: ignore[arg-type]


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


ROWS = [f'"{word}, number {n}",{word}' for word in ("good", "bad") for n in range(10)]


def test_a_csv_of_texts_and_labels(tmp_path: Path) -> None:
    splits = table(written(tmp_path / "t.csv", "text,label", *ROWS))
    assert splits.classes == ("bad", "good")
    assert splits.load(0) == "good, number 0"
    assert [splits.label_name(i) for i in (0, 10)] == ["good", "bad"]
    assert {stream: len(indices) for stream, indices in splits.streams.items()} == {
        TRAIN: 12,
        VAL: 4,
        TEST: 4,
    }
    assert len({example.key for example in splits.examples}) == 20


def test_jsonl_with_splits_groups_and_columns_of_other_names(tmp_path: Path) -> None:
    rows = [
        {"body": f"text {n}\nof two lines", "class": n % 2, "split": split, "group": f"g{n}"}
        for n, split in enumerate(["train"] * 4 + ["valid"] * 2 + ["test"] * 2)
    ]
    path = written(tmp_path / "t.jsonl", *map(json.dumps, rows))
    splits = table(path, text_column="body", label_column="class")
    assert splits.load(3) == "text 3\nof two lines"
    assert splits.streams == {TRAIN: (0, 1, 2, 3), VAL: (4, 5), TEST: (6, 7)}
    assert splits.examples[7].group == "g7"
    assert splits.given == (TRAIN, VAL, TEST)


def test_several_labels_to_a_text(tmp_path: Path) -> None:
    lines = [f"text {n},{'|'.join(['a', 'b', 'c'][: n % 4])}" for n in range(40)]
    splits = table(written(tmp_path / "t.csv", "text,label", *lines), multi_label=True)
    assert splits.multi_label
    assert splits.target(2) == (1.0, 1.0, 0.0)
    assert splits.target(0) == (0.0, 0.0, 0.0)


def test_an_empty_text_is_an_example_and_an_empty_label_is_a_mistake(tmp_path: Path) -> None:
    assert table(written(tmp_path / "t.csv", "text,label", *ROWS, ",good")).load(20) == ""
    with pytest.raises(DataError, match="line 22: column 'label' is empty"):
        table(written(tmp_path / "u.csv", "text,label", *ROWS, "words,"))


def test_a_missing_column_is_told_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no column 'text' in the header: review, label") as caught:
        table(written(tmp_path / "t.csv", "review,label", *ROWS))
    assert "data.text_column" in str(caught.value.remedy)


def test_a_text_that_was_changed_is_another_example(tmp_path: Path) -> None:
    """So that a run does not go on with it unnoticed."""
    before = table(written(tmp_path / "t.csv", "text,label", *ROWS))
    after = table(written(tmp_path / "t.csv", "text,label", ROWS[0].replace("number", "no."), *ROWS[1:]))
    assert split_record(before)["sha256"] != split_record(after)["sha256"]
    assert [one.key for one in before.examples][1:] == [one.key for one in after.examples][1:]


def class_folders(root: Path, count: int = 8) -> Path:
    for name in ("good", "bad"):
        (root / name).mkdir(parents=True)
        for n in range(count):
            (root / name / f"{n}.txt").write_text(f"{name} {n} é", encoding="utf-8")
    return root


def test_a_folder_of_class_folders(tmp_path: Path) -> None:
    class_folders(tmp_path)
    (tmp_path / "good" / "picture.png").write_bytes(b"no text")
    splits = folder(tmp_path)
    assert splits.classes == ("bad", "good")
    assert splits.examples[0].key == "bad/0.txt"
    assert splits.load(0) == "bad 0 é"
    assert len(splits.examples) == 16


def test_folders_of_streams(tmp_path: Path) -> None:
    for stream in ("train", "validation", "test"):
        class_folders(tmp_path / stream, 2)
    splits = folder(tmp_path)
    assert {stream: len(indices) for stream, indices in splits.streams.items()} == {TRAIN: 4, VAL: 4, TEST: 4}


def test_a_folder_without_texts_tells_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"no texts; 1 other file: \.png"):
        folder(tmp_path)


def test_a_table_is_not_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        folder(written(tmp_path / "t.csv", "text,label"))
    assert caught.value.remedy == "a manifest is opened with kind: text_csv"


@pytest.mark.parametrize(
    ("raw", "why"),
    [(b"caf\xe9", "byte 3 is not UTF-8"), (b"x" * 10_000_001, "more than 10,000,000 bytes")],
)
def test_a_file_that_is_no_text(tmp_path: Path, raw: bytes, why: str) -> None:
    class_folders(tmp_path)
    (tmp_path / "bad" / "0.txt").write_bytes(raw)
    with pytest.raises(DataError, match=why) as caught:
        folder(tmp_path).load(0)
    assert str(caught.value.where).endswith("0.txt")


def test_a_split_by_group_that_is_nowhere_names_where_it_could_be(tmp_path: Path) -> None:
    by_group = {"by": "group"}
    with pytest.raises(DataError, match="none of the 20 texts has a group") as caught:
        table(written(tmp_path / "t.csv", "text,label", *ROWS), split=by_group)
    assert "data.group_column" in str(caught.value.remedy)
    with pytest.raises(DataError) as caught:
        folder(class_folders(tmp_path / "texts"), split=by_group)
    assert "list the texts in a CSV file with a column group (data.kind: text_csv)" in str(
        caught.value.remedy
    )


def test_texts_of_one_class_are_nothing_to_tell_apart(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        table(written(tmp_path / "t.csv", "text,label", *ROWS[:10]))
    assert caught.value.remedy == "give texts of at least two classes"
