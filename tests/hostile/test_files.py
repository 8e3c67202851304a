"""Every hostile file is judged right, and the folder is as it was before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ftcli.components.data.folder import Folder, open_splits
from ftcli.components.data.image import open_image, to_rgb
from ftcli.engine.images import ImageStore, prepare
from ftcli.errors import DataError
from ftcli.plans.preprocessing import IMAGENET
from tests.hostile.corpus import (
    PNG_TAIL,
    Hostile,
    as_left,
    everything,
    odd_but_good,
    page,
    stored,
    truncated,
    write,
)

ALL = everything()


def test_there_are_as_many_as_promised() -> None:
    assert len(truncated()) == 60
    assert len(ALL) == len({file.name for file in ALL}) >= 85


@pytest.mark.fault(7)
@pytest.mark.parametrize("file", ALL, ids=lambda file: file.name)
def test_each_is_judged_right(tmp_path: Path, file: Hostile) -> None:
    write(tmp_path, [file])
    before = as_left(tmp_path)
    if file.size is None:
        with pytest.raises(DataError, match="cannot read the image") as caught:
            open_image(tmp_path / file.name)
        assert caught.value.exit_code == 4
        assert caught.value.where == str(tmp_path / file.name)
    else:
        rgb = to_rgb(open_image(tmp_path / file.name))
        assert (rgb.mode, rgb.size) == ("RGB", file.size)
        pixel = np.asarray(rgb)[0, 0].astype(int)
        assert np.abs(pixel - file.rgb).max() <= (4 if file.name.endswith("jpg") else 0), pixel
        assert min(prepare(rgb, IMAGENET).shape[1:]) >= 224
    assert as_left(tmp_path) == before


@pytest.mark.fault(7)
@pytest.mark.parametrize("cut", [1, 12, 16, PNG_TAIL])
def test_a_png_that_lacks_only_what_follows_its_pixels_has_lost_nothing(tmp_path: Path, cut: int) -> None:
    (tmp_path / "a.png").write_bytes(stored(page(), "PNG")[:-cut])
    assert np.array_equal(np.asarray(open_image(tmp_path / "a.png")), np.asarray(page()))


def corpus_with_good_images(folder: Path) -> Path:
    """Two classes, the hostile files among good ones."""
    for name, half in (("odd", ALL[::2]), ("even", ALL[1::2])):
        write(folder / name, half)
        write(folder / name, [Hostile(f"good_{i}.png", stored(page(), "PNG")) for i in range(30)])
    return folder


def store_of(folder: Path) -> ImageStore:
    return ImageStore(open_splits(Folder(kind="folder", path=str(folder)), 0), IMAGENET.at_size(16), 2**30)


def test_a_scan_lists_them_and_stops(tmp_path: Path) -> None:
    folder = corpus_with_good_images(tmp_path)
    before = as_left(folder)
    bad = [file for file in ALL if file.size is None]
    with pytest.raises(DataError, match=f"^{len(bad)} of {len(ALL) + 60} images cannot be read") as caught:
        store_of(folder).scan(2, lambda done, total: None)
    assert caught.value.exit_code == 4
    assert as_left(folder) == before


def test_a_scan_that_skips_leaves_out_these_and_no_others(tmp_path: Path) -> None:
    folder = corpus_with_good_images(tmp_path)
    before = as_left(folder)
    store = store_of(folder)
    all_streams = store.splits.streams
    store.scan(2, lambda done, total: None, skip=True)
    assert {Path(key).name for key in store.splits.left_out} == {f.name for f in ALL if f.size is None}
    for stream, indices in all_streams.items():
        left = set(store.splits.streams[stream])
        assert left <= set(indices)
        assert all(store.splits.examples[i].key in store.splits.left_out for i in set(indices) - left)
        assert all(isinstance(store[i], torch.Tensor) for i in left)
    assert as_left(folder) == before


@pytest.mark.fault(7)
def test_a_class_of_which_nothing_is_left_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "good", [Hostile(f"{i}.png", stored(page(), "PNG")) for i in range(8)])
    write(tmp_path / "bad", [Hostile(f"{i}.png", b"<html>") for i in range(8)])
    with pytest.raises(DataError, match="no training images of 'bad'") as caught:
        store_of(tmp_path).scan(2, lambda done, total: None, skip=True)
    assert "none of JPEG" in caught.value.what


@pytest.mark.fault(7)
def test_a_name_that_is_not_utf_8_is_told_before_anything_is_read(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name, odd_but_good()[:6])
    try:
        (tmp_path / "a" / "caf\udce9.png").write_bytes(stored(page(), "PNG"))
    except OSError:
        pytest.skip("this file system has no such names")
    with pytest.raises(DataError, match=r"1 names are not UTF-8, 'a/caf\\udce9\.png' first"):
        store_of(tmp_path)
