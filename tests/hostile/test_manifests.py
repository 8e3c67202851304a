"""Hostile manifests: each is refused in words, none crashes, and none reaches a file outside the data."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ftcli.components.data.csv import Manifest, open_splits
from ftcli.errors import DataError
from tests.hostile.corpus import as_left, page

HEAD = b"file_name,label\n"
GOOD = b"".join(b"%s/%d.png,%s\n" % (name, i, name) for name in (b"a", b"b") for i in range(6))
GOOD_JSON = b"".join(
    b'{"file_name": "%s/%d.png", "label": "%s"}\n' % (name, i, name)
    for name in (b"a", b"b")
    for i in range(6)
)

CSV = {
    "absolute": (b"/etc/passwd,a\n", "lies outside"),
    "absolute, beside the data": (b"@/secret.png,a\n", "lies outside"),
    "up": (b"../secret.png,a\n", "lies outside"),
    "up from within": (b"a/../../secret.png,a\n", "lies outside"),
    "up and in again": (b"../data/../secret.png,a\n", "lies outside"),
    "up very far": (b"../" * 500 + b"etc/passwd,a\n", "lies outside"),
    "a link to a file outside": (b"leak.png,a\n", "is a link to"),
    "a link to a folder outside": (b"out/secret.png,a\n", "is a link to"),
    "a link in a circle": (b"circle.png,a\n", "no file"),
    "a link to a device": (b"zero.png,a\n", "no file"),
    "a pipe": (b"pipe.png,a\n", "no file"),
    "the folder itself": (b".,a\n", "no file"),
    "backslashes": (b"..\\..\\secret.png,a\n", "no file"),
    "a home": (b"~/secret.png,a\n", "no file"),
    "a variable": (b"$HOME/secret.png,a\n", "no file"),
    "an address": (b"https://example.org/a.png,a\n", "no file"),
    "a NUL byte": (b"a/0.png\0.txt,a\n", "no file|line contains NUL"),
    "a NUL byte after the root": (b"a\0/../../secret.png,a\n", "no file|outside|line contains NUL"),
    "a very long name": (b"x" * 5_000 + b".png,a\n", "no file"),
    "a name of many folders": (b"a/" * 3_000 + b"0.png,a\n", "no file"),
    "a huge field": (b"x" * 200_000 + b",a\n", "field larger than field limit"),
    "a label as long as a book": (b"a/0.png," + b"x" * 5_000 + b"\n", "no name of a class"),
    "a row twice": (b"a/0.png,a\n", "again, first on line 2"),
    "a row twice, spelt otherwise": (b"./a/../a//0.png,b\n", "again, first on line 2"),
    "no label": (b"a/0.png\n", "column 'label' is empty"),
    "no name": (b",a\n", "column 'file_name' is empty"),
    "too many cells": (b"a/0.png,big, old cat\n", "3 cells in 2 columns"),
    "a quote that is never closed": (b'"a/0.png,a\na/1.png,a\n', "unexpected end of data"),
    "a quote that is never closed around a label": (b'a/0.png,"a\na/1.png,a\n', "unexpected end of data"),
    "latin 1": ("é.png,a\n".encode("latin-1"), "not a CSV file in UTF-8"),
}
JSON = {
    "not JSON": (b"file_name,label\n", "not a JSON object"),
    "a list": (b'["a/0.png", "a"]\n', "not a JSON object in braces"),
    "nested without end": (b"[" * 100_000 + b"\n", "too deeply nested|not a JSON object"),
    "half an object": (b'{"file_name": "a/0.png"\n', "not a JSON object"),
    "no label": (b'{"file_name": "a/0.png"}\n', "column 'label' is missing"),
    "a label of nothing": (b'{"file_name": "a/0.png", "label": null}\n', "column 'label' is empty"),
    "a label twice": (b'{"file_name": "a/0.png", "label": "a", "label": "b"}\n', "stands there twice"),
    "a name that is a number": (b'{"file_name": 7, "label": "a"}\n', "no file '7'"),
    "half a character": (b'{"file_name": "a/\\ud800.png", "label": "a"}\n', "not valid text"),
    "a label of half a character": (b'{"file_name": "a/0.png", "label": "\\udfff"}\n', "no name of a class"),
    "a NUL byte": (b'{"file_name": "a/0.png\\u0000", "label": "a"}\n', "no file"),
    "up": (b'{"file_name": "../secret.png", "label": "a"}\n', "lies outside"),
    "a number of ten thousand digits": (b'{"label": ' + b"9" * 10_000 + b"}\n", "line 13"),
    "a weight of NaN": (b'{"file_name": "a/0.png", "label": "a", "weight": NaN}\n', "no number of at least 0"),
    "a line without end": (b" " * 1_000_002, "more than 1,000,000 characters"),
}  # fmt: skip
WHOLE = {
    "empty": (b"", "no column 'file_name' in the header: it is empty"),
    "blank": (b"\n\n\n", "no column 'file_name'"),
    "the header alone": (HEAD, "no rows below the header"),
    "no header": (GOOD, "no column 'file_name'"),
    "other columns": (b"image,class\n" + GOOD, "no column 'file_name' in the header: image, class"),
    "a column twice": (b"file_name,label,label\na/0.png,a,b\n", "stands in the header 2 times"),
    "semicolons": ((HEAD + GOOD).replace(b",", b";"), "no column 'file_name'"),
    "UTF-16": ((HEAD + GOOD).decode().encode("utf-16"), "not a CSV file in UTF-8"),
    "zeros": (bytes(1000), "no column|not a CSV file"),
    "an image": (b"\x89PNG\r\n\x1a\n" + bytes(100), "not a CSV file in UTF-8"),
    "a header without end": (b"x," * 100_000 + b"\n", "no column 'file_name'"),
    "one class": (HEAD + GOOD[: len(GOOD) // 2], "1 class is not enough"),
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """data/ with twelve images, links that lead out of it, and a secret beside it."""
    folder = tmp_path / "data"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for number in range(6):
            page().save(folder / name / f"{number}.png")
    page().save(tmp_path / "secret.png")
    (folder / "leak.png").symlink_to(tmp_path / "secret.png")
    (folder / "out").symlink_to(tmp_path)
    (folder / "circle.png").symlink_to(folder / "circle.png")
    (folder / "zero.png").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.png")
    return folder


def refused(data: Path, name: str, content: bytes, message: str) -> None:
    manifest = data / name
    manifest.write_bytes(content.replace(b"@", bytes(data.parent)))
    before = as_left(data)
    with pytest.raises(DataError, match=message) as caught:
        open_splits(Manifest(kind="csv", path=str(manifest)), seed=0)
    assert caught.value.exit_code == 4
    assert len(str(caught.value)) < 5_000, "the error is not as long as what it tells of"
    assert str(caught.value).isprintable()
    assert as_left(data) == before


def test_there_are_as_many_as_promised() -> None:
    assert len(CSV) + len(JSON) + len(WHOLE) >= 30


@pytest.mark.fault(13)
@pytest.mark.parametrize("name", CSV)
def test_a_hostile_row_of_csv(data: Path, name: str) -> None:
    row, message = CSV[name]
    refused(data, "list.csv", HEAD + GOOD + row, message)


@pytest.mark.fault(13)
@pytest.mark.parametrize("name", JSON)
def test_a_hostile_line_of_json(data: Path, name: str) -> None:
    line, message = JSON[name]
    refused(data, "list.jsonl", GOOD_JSON + line, message)


@pytest.mark.fault(13)
@pytest.mark.parametrize("name", WHOLE)
def test_what_is_no_manifest(data: Path, name: str) -> None:
    content, message = WHOLE[name]
    refused(data, "list.csv", content, message)


@pytest.mark.fault(13)
@pytest.mark.parametrize("path", ["a", "pipe.png", "zero.png", "gone.csv", "circle.png"])
def test_what_is_not_even_a_file(data: Path, path: str) -> None:
    with pytest.raises(DataError, match=r"not a file|cannot read it"):
        open_splits(Manifest(kind="csv", path=str(data / path)), seed=0)


def test_without_the_hostile_rows_both_notations_are_the_same_data(data: Path) -> None:
    (data / "list.csv").write_bytes(HEAD + GOOD)
    (data / "list.jsonl").write_bytes(b"\xef\xbb\xbf" + GOOD_JSON + b"\n\n")
    from_csv, from_json = (
        open_splits(Manifest(kind="csv", path=str(data / f"list.{suffix}")), seed=0)
        for suffix in ("csv", "jsonl")
    )
    assert from_csv.examples == from_json.examples
    assert from_csv.streams == from_json.streams


def test_a_root_that_is_itself_a_link_is_the_folder_it_leads_to(data: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(data)
    (data / "list.csv").write_bytes(HEAD + GOOD)
    splits = open_splits(Manifest(kind="csv", path=str(tmp_path / "link" / "list.csv")), seed=0)
    assert len(splits.examples) == 12


def test_hugging_face_s_layout_with_every_column(data: Path) -> None:
    rows = [
        {"file_name": f"{n}/{i}.png", "label": k, "group": f"p{i}", "time": 2000 + i, "weight": i / 2, "box": [1, 2]}
        for k, n in enumerate("ab")
        for i in range(6)
    ]  # fmt: skip
    (data / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    options = {"kind": "csv", "path": str(data / "metadata.jsonl"), "split": {"by": "group"}}
    splits = open_splits(Manifest.model_validate(options), seed=0)
    assert splits.classes == ("0", "1")
    third = splits.examples[3]
    assert (third.key, third.group, third.time, third.weight) == ("a/3.png", "p3", "2003", 1.5)
    assert splits.how.startswith("by group: ")
