from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftcli.components.data.csv import Manifest, open_splits
from ftcli.errors import DataError
from ftcli.plans.data_splits import DataSplits


def opened(folder: Path, text: str, **options: Any) -> DataSplits:
    (folder / "list.csv").write_text(text, encoding="utf-8")
    return open_splits(Manifest(kind="csv", path=str(folder / "list.csv"), **options), seed=0)


def rows(*, cats: int = 10, dogs: int = 20, header: str = "file_name,label") -> str:
    names = [f"cats/{i:03d}.png,cat" for i in range(cats)] + [f"dogs/{i:03d}.png,dog" for i in range(dogs)]
    return "\n".join([header, *names, ""])


def test_a_manifest_beside_its_images(pets: Path) -> None:
    splits = opened(pets, rows())
    assert splits.classes == ("cat", "dog")
    assert splits.examples[10].key == "dogs/000.png"
    assert splits.count_per_class("train") == {"cat": 6, "dog": 14}
    assert splits.load(4).getpixel((0, 0)) == 4


def test_columns_and_root_can_be_named(pets: Path, tmp_path: Path) -> None:
    text = rows(header="bild, art")
    splits = opened(tmp_path, text, image_column="bild", label_column="art", root=str(pets))
    assert splits.classes == ("cat", "dog")
    with pytest.raises(DataError, match=r"line 2: no file 'cats/000\.png'") as caught:
        opened(tmp_path, rows())
    assert str(tmp_path) in str(caught.value.remedy)


def test_the_split_column_is_used_when_there_is_one(pets: Path) -> None:
    lines = rows().splitlines()
    names = ["train", "Valid", "test"]
    text = "\n".join([lines[0] + ",split", *(f"{line},{names[i % 3]}" for i, line in enumerate(lines[1:]))])
    splits = opened(pets, text)
    assert list(splits.streams) == ["train", "val", "test"]
    assert {s: len(indices) for s, indices in splits.streams.items()} == {"train": 10, "val": 10, "test": 10}
    assert splits.examples[splits.streams["val"][0]].key == "cats/001.png"

    ignored = opened(pets, text, split_column=None)
    assert len(ignored.streams["train"]) == 20


def test_a_split_that_no_row_names_is_taken_from_train(pets: Path) -> None:
    lines = rows().splitlines()
    text = "\n".join(
        [
            lines[0] + ",split",
            *(
                f"{x},{'test' if x.startswith('cats/00') and i < 3 else 'train'}"
                for i, x in enumerate(lines[1:])
            ),
        ]
    )
    splits = opened(pets, text)
    assert splits.count_per_class("test") == {"cat": 3, "dog": 0}
    assert splits.count_per_class("val") == {"cat": 1, "dog": 3}


def test_what_spreadsheets_write_is_read(pets: Path) -> None:
    text = "\ufeff" + rows().replace("\n", "\r\n").replace(",cat", ', "big, old cat" ') + "\r\n\r\n"
    assert opened(pets, text).classes == ("big, old cat", "dog")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("cats/gone.png,cat", "line 32: no file 'cats/gone.png'"),
        ("cats,cat", "line 32: no file 'cats'"),
        ("cats/\0.png,cat", "line 32: no file"),
        (f"{'x' * 5000}.png,cat", "line 32: no file"),
        ("cats/000.png,", "line 32: column 'label' is empty"),
        ("cats/000.png", "line 32: column 'label' is empty"),
        (",cat", "line 32: column 'file_name' is empty"),
        ("./cats//000.png,cat", "line 32: 'cats/000.png' again, first on line 2"),
        ("../pets/../secret.png,cat", "line 32: '../pets/../secret.png' lies outside"),
        ("cats/../../secret.png,cat", "lies outside"),
        ("..,cat", "line 32: '..' lies outside"),
        ("/etc/passwd,cat", "line 32: '/etc/passwd' lies outside"),
    ],
)
def test_a_row_at_fault_is_told_by_its_line(pets: Path, line: str, message: str) -> None:
    (pets.parent / "secret.png").write_bytes((pets / "cats" / "000.png").read_bytes())
    with pytest.raises(DataError, match=message) as caught:
        opened(pets, rows() + line + "\n")
    assert caught.value.where == str(pets / "list.csv")


def test_line_numbers_count_lines_within_quotes(pets: Path) -> None:
    text = rows().replace("cats/000.png,cat\n", 'cats/000.png,"cat\ntwo lines"\n') + "gone.png,cat\n"
    with pytest.raises(DataError, match="line 33: no file"):
        opened(pets, text)


def test_many_rows_at_fault_are_counted(pets: Path) -> None:
    with pytest.raises(DataError, match=r"^line 12: .*; line 13: .*; line 14: .*; and 7 more$"):
        opened(pets, rows(cats=20))


def test_absolute_names_inside_the_root_are_fine(pets: Path) -> None:
    splits = opened(pets, rows().replace("cats/", f"{pets}/cats/"))
    assert splits.examples[0].key == "cats/000.png"


@pytest.mark.parametrize(
    ("header", "options", "message", "remedy"),
    [
        ("filename,label", {}, "no column 'file_name' in the header: filename, label", "nearest: filename"),
        ("file_name;label", {}, "no column 'file_name'", "nearest|commas"),
        ("a b", {}, "no column", "commas"),
        ("file_name,label", {"split_column": "fold"}, "no column 'fold'", "commas"),
        ("", {}, "no column 'file_name' in the header: it is empty", "commas"),
    ],
)
def test_the_header_is_checked(
    pets: Path, header: str, options: dict[str, str], message: str, remedy: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        opened(pets, header + "\n1,2\n" if header else "", **options)
    assert any(word in str(caught.value.remedy) for word in remedy.split("|"))


def test_an_unknown_split_is_told(pets: Path) -> None:
    with pytest.raises(DataError, match="line 2: split 'fold 3' is none of train, val"):
        opened(pets, "file_name,label,split\ncats/000.png,cat,fold 3\n")
    with pytest.raises(DataError, match="no row of column 'split' says train"):
        opened(pets, "file_name,label,split\ncats/000.png,cat,test\n")


def test_a_class_that_train_lacks_is_named(pets: Path) -> None:
    text = "file_name,label,split\ncats/000.png,cat,train\ndogs/000.png,dog,test\n"
    with pytest.raises(DataError, match="no training images of 'dog'"):
        opened(pets, text)


def test_what_is_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read it: No such file"):
        open_splits(Manifest(kind="csv", path=str(tmp_path / "gone.csv")), seed=0)
    with pytest.raises(DataError, match="no rows below the header"):
        opened(tmp_path, "file_name,label\n")
    (tmp_path / "bytes.csv").write_bytes(b"file_name,label\n\xff\xfe\x00,1\n")
    with pytest.raises(DataError, match="not a CSV file in UTF-8"):
        open_splits(Manifest(kind="csv", path=str(tmp_path / "bytes.csv")), seed=0)
