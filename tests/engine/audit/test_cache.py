"""Fingerprints are recalled for files that are the same, and never for others."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ftcli.components.data.image import open_image
from ftcli.engine.audit import scan as scanning
from ftcli.engine.audit.cache import cache_file, read_cache
from ftcli.engine.audit.scan import scan
from ftcli.plans.data_splits import DataSplits, Example


class Files:
    """A source of two images that counts how often one is opened."""

    def __init__(self, folder: Path) -> None:
        self.paths = (folder / "one.png", folder / "zwei ü.png")
        self.opened: list[int] = []
        for number, path in enumerate(self.paths):
            self.write(path, number)

    def write(self, path: Path, number: int) -> None:
        pixels = np.random.default_rng(number).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path, compress_level=0)

    def load(self, index: int) -> Image.Image:
        self.opened.append(index)
        return open_image(self.paths[index])

    def splits(self) -> DataSplits:
        examples = (Example("one", 0), Example("two", 1))
        return DataSplits(
            str(self.paths[0].parent), ("a", "b"), examples, {"train": (0, 1)}, self.load, self.paths
        )


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Files(tmp_path)


def looked(files: Files) -> tuple[list[bytes], list[int]]:
    files.opened.clear()
    found = scan(files.splits(), 1, lambda done, total: None)
    return [item.digest for item in found if isinstance(item, scanning.Fingerprint)], list(files.opened)


def test_the_second_time_nothing_is_opened(files: Files) -> None:
    first, opened = looked(files)
    assert opened == [0, 1]
    assert looked(files) == (first, [])


def test_what_is_recalled_is_what_was_kept(files: Files) -> None:
    first = scan(files.splits(), 1, lambda done, total: None)
    again = scan(files.splits(), 1, lambda done, total: None)
    for one, other in zip(first, again, strict=True):
        assert (one.width, one.mean, one.std, one.spread) == (
            other.width,
            other.mean,
            other.std,
            other.spread,
        )
        assert np.array_equal(one.gray, other.gray)
        assert np.array_equal(one.colour, other.colour)


def test_a_changed_file_of_the_same_size_is_opened_again(files: Files) -> None:
    before, _ = looked(files)
    files.write(files.paths[1], 7)
    os.utime(files.paths[1], ns=(1, 1))
    after, opened = looked(files)
    assert opened == [1]
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_a_file_that_was_only_touched_is_not(files: Files) -> None:
    looked(files)
    os.utime(files.paths[0], ns=(5, 5))
    assert looked(files)[1] == []


@pytest.mark.parametrize("damage", [b"", b"PK nonsense", None])
def test_a_damaged_cache_is_no_cache(files: Files, damage: bytes | None) -> None:
    digests, _ = looked(files)
    path = cache_file(files.splits().source)
    path.write_bytes(path.read_bytes()[:-200] if damage is None else damage)
    assert read_cache(path) == {}
    assert looked(files) == (digests, [0, 1])


def test_an_image_that_cannot_be_converted_is_told_like_one_that_cannot_be_read(files: Files) -> None:
    splits = replace(files.splits(), load=lambda index: Image.new("La", (4, 4)))
    found = scan(splits, 1, lambda done, total: None)
    assert [str(error) for error in found] == [
        "cannot use the image: conversion from La to L not supported"
    ] * 2


def test_a_file_that_cannot_be_read_is_told_each_time(files: Files) -> None:
    files.paths[0].write_bytes(b"no image")
    assert len(looked(files)[0]) == 1
    assert looked(files)[1] == [0]
