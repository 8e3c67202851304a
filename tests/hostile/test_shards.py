"""WebDataset shards, good and hostile: read where they lie, nothing written anywhere."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ftcli.components.data.webdataset import WebDataset, open_splits
from ftcli.errors import DataError
from ftcli.plans.data_splits import DataSplits
from tests.hostile.corpus import as_left, page, stored

PNG = stored(page(), "PNG")


def shard(path: Path, members: dict[str, bytes], links: dict[str, str] | None = None) -> None:
    with tarfile.open(path, "w") as tar:
        for name, target in (links or {}).items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def good(count: int = 8, prefix: str = "") -> dict[str, bytes]:
    members = {}
    for number in range(count):
        members |= {f"{prefix}{number:03}.png": PNG, f"{prefix}{number:03}.cls": str(number % 2).encode()}
    return members


def opened(path: Path, **options: Any) -> DataSplits:
    return open_splits(
        WebDataset.model_validate({"kind": "webdataset", "path": str(path), **options}), seed=0
    )


def test_shards_of_a_range_of_a_folder_and_of_streams_of_their_own(tmp_path: Path) -> None:
    for number in range(3):
        shard(tmp_path / f"data-{number:03}.tar", good())
    splits = opened(tmp_path / "data-{000..002}.tar")
    assert len(splits.examples) == 24
    assert splits.examples[0].key == "data-000.tar/000"
    assert np.array_equal(np.asarray(splits.load(0)), np.asarray(page()))
    assert opened(tmp_path).examples == splits.examples
    own = opened(tmp_path / "data-000.tar", test_path=str(tmp_path / "data-{001..002}.tar"))
    assert len(own.streams["test"]) == 16
    with pytest.raises(DataError, match=r"no shard data-003\.tar"):
        opened(tmp_path / "data-{000..003}.tar")


def test_shards_of_one_name_in_two_folders(tmp_path: Path) -> None:
    for folder in ("train", "test"):
        (tmp_path / folder).mkdir()
        shard(tmp_path / folder / "000.tar", good())
    splits = opened(tmp_path / "train", test_path=str(tmp_path / "test"))
    assert [splits.examples[i].key for i in splits.streams["test"][:2]] == [
        "test/000.tar/000",
        "test/000.tar/001",
    ]
    assert len(splits.streams["train"]) + len(splits.streams["val"]) == 8
    with pytest.raises(DataError, match="twice"):
        opened(tmp_path / "train", test_path=str(tmp_path / "train"))


def test_json_labels_and_numbers_in_their_order(tmp_path: Path) -> None:
    members = {}
    for number in range(60):
        facts = {"class": number % 12, "group": number % 20, "time": 2000 + number, "weight": 2}
        members |= {f"s/{number}.jpg": stored(page(), "JPEG"), f"s/{number}.json": json.dumps(facts).encode()}
    shard(tmp_path / "a.tar", members)
    splits = opened(tmp_path / "a.tar", label_key="class", split={"by": "time"})
    assert splits.classes == tuple(str(number) for number in range(12))
    example = next(e for e in splits.examples if e.key == "a.tar/s/25")
    assert (example.label, example.group, example.time, example.weight) == (1, "5", "2025", 2.0)


def test_members_of_hostile_names_are_harmless(tmp_path: Path) -> None:
    data = tmp_path / "deep" / "data"
    data.mkdir(parents=True)
    members = good() | good(4, "../../out") | good(4, "/tmp/../abs/") | good(2, "..\\win")
    shard(data / "a.tar", members, links={"x.png": "/etc/passwd", "x.cls": "/etc/passwd"})
    before = as_left(tmp_path)
    splits = opened(data / "a.tar")
    assert len(splits.examples) == 18, "the links are no images"
    assert not any(".." in e.key.split("/") or "\\" in e.key or e.key[0] == "/" for e in splits.examples)
    assert all(splits.load(i).size == page().size for i in range(18))
    assert as_left(tmp_path) == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot read the shard"),
        (b"<html>" * 200, "cannot read the shard"),
        (bytes(10_240), "0 class"),
        (b"\x1f\x8b\x08" + bytes(600), "cannot read the shard"),
    ],
)
def test_what_is_no_shard(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(DataError, match=message):
        opened(tmp_path / "a.tar")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"x.png": PNG}, "'x.png' has no .cls or .json"),
        ({"x.png": PNG, "x.cls": b"\xff"}, "cannot read the shard"),
        ({"x.png": PNG, "x.json": b"{"}, "cannot read the shard"),
        ({"x.png": PNG, "x.json": b"[" * 100_000}, "cannot read the shard"),
        ({"x.png": PNG, "x.json": b"[1]"}, "'x.png' has no .cls or .json"),
        ({"x.png": PNG, "x.cls": b"1" * 1_000_001}, "which is no label"),
        ({"x.png": PNG, "x.json": b'{"label": 1, "weight": -1}'}, "no number of at least 0"),
        ({"x.png": PNG, "x.jpg": PNG, "x.cls": b"1"}, "'x.png' and 'x.jpg' are of one sample"),
    ],
)
def test_a_sample_at_fault_is_told(tmp_path: Path, members: dict[str, bytes], message: str) -> None:
    shard(tmp_path / "a.tar", good() | members)
    with pytest.raises(DataError, match=message) as caught:
        opened(tmp_path / "a.tar")
    assert caught.value.where == str(tmp_path / "a.tar")


def test_a_shard_that_was_cut_off_does_not_crash(tmp_path: Path) -> None:
    shard(tmp_path / "whole.tar", good())
    whole = (tmp_path / "whole.tar").read_bytes()
    for end in range(0, len(whole), 997):
        (tmp_path / "a.tar").write_bytes(whole[:end])
        try:
            splits = opened(tmp_path / "a.tar")
            for index in range(len(splits.examples)):
                splits.load(index)
        except DataError:
            continue


@pytest.mark.parametrize("name", ["{5..1}.tar", "{0..999999}.tar", "{0..99999999999}.tar"])
def test_a_range_that_is_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="is no range of shards"):
        opened(tmp_path / name)
