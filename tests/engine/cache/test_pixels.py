"""Images that are kept between runs: the same bits as decoded ones, and decoded anew as soon as anything differs."""

from __future__ import annotations

import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images

from ftcli.components.data.folder import Folder, open_splits
from ftcli.components.data.image import MAX_PIXELS
from ftcli.engine.cache import keys
from ftcli.engine.cache.manifest import DATA
from ftcli.engine.cache.pixels import PixelCache
from ftcli.engine.cache.store import Store
from ftcli.engine.images import ImageStore, prepare
from ftcli.errors import DataError
from ftcli.findings import Finding
from ftcli.plans.data_splits import DataSplits
from ftcli.plans.preprocessing import IMAGENET
from tests.full_disk import python_where_files_end_at
from tests.hostile.corpus import odd_but_good, write

SMALL = IMAGENET.at_size(32)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """40 JPEGs in two classes, each of another size."""
    sources = [Image.fromarray(array) for array in load_sample_images().images]
    for number in range(40):
        crop = sources[number % 2].crop((number, number, 300 + 3 * number, 200 + number))
        path = tmp_path / "photographs" / "ab"[number % 2] / f"{number:02}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        crop.save(path, quality=90)
    return tmp_path / "photographs"


@pytest.fixture
def told() -> list[Finding]:
    return []


@pytest.fixture
def cache(tmp_path: Path, told: list[Finding]) -> PixelCache:
    return PixelCache(Store(tmp_path / "store", 2**30, told.append), tmp_path / "stamps", MAX_PIXELS)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Which images were decoded, in whatever order."""
    found: list[int] = []
    prepare_one = ImageStore._prepare
    monkeypatch.setattr(ImageStore, "_prepare", lambda self, i: found.append(i) or prepare_one(self, i))
    return found


def splits_of(folder: Path) -> DataSplits:
    return open_splits(Folder(kind="folder", path=str(folder)), 0)


def scanned(folder: Path, cache: PixelCache | None, *, memory: int = 2**30, skip: bool = False) -> ImageStore:
    store = ImageStore(splits_of(folder), SMALL, memory, cache)
    store.scan(2, lambda done, total: None, skip=skip)
    return store


def same(store: ImageStore) -> bool:
    """As `prepare` gives them."""
    indices = [i for stream in store.splits.streams.values() for i in stream]
    return all(torch.equal(store[i], prepare(store.splits.load(i), store.preprocessing)) for i in indices)


def test_the_second_run_decodes_nothing(photographs: Path, cache: PixelCache, decoded: list[int]) -> None:
    first = scanned(photographs, cache)
    assert sorted(decoded) == list(range(40))
    assert not first._kept, "what is mapped is not held as well"
    second = scanned(photographs, cache, memory=0)
    assert len(decoded) == 40
    assert second.in_memory
    assert same(first)
    assert same(second)
    assert len(decoded) == 40


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="only Linux tells what is mapped")
def test_a_process_holds_few_of_the_pixels_that_it_has_seen(
    photographs: Path, cache: PixelCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ImageStore(splits_of(photographs), IMAGENET.at_size(96), 2**30, cache)
    store.scan(2, lambda done, total: None)
    first, seen = store[0].clone(), sum(store[index].nbytes for index in range(40))
    assert held_of(cache.store.folder) > seen / 2, "it is far from the bound, and all is held"
    monkeypatch.setattr("ftcli.engine.cache.ragged.HELD_BYTES", seen // 16)
    for index in range(40):
        assert store[index].numpy().any()
    assert held_of(cache.store.folder) < seen / 4
    assert torch.equal(store[0], first)
    assert same(store)


def held_of(folder: Path) -> int:
    """Bytes of files in a folder that this process has in its memory."""
    held, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split()[0]:
            inside = str(folder) in line
        elif inside and line.startswith("Rss:"):
            held += 1024 * int(line.split()[1])
    return held


def test_every_odd_file_as_it_is_prepared(tmp_path: Path, cache: PixelCache, decoded: list[int]) -> None:
    """CMYK, 16 bits, palettes, transparency, turned by EXIF: by what `prepare` makes of each."""
    folder = tmp_path / "odd"
    for name in "ab":
        write(folder / name, odd_but_good())
    assert same(scanned(folder, cache))
    before = len(decoded)
    assert same(scanned(folder, cache))
    assert len(decoded) == before


def test_the_progress_counts_every_image_once(photographs: Path, cache: PixelCache) -> None:
    counts: list[tuple[int, int]] = []
    for _ in range(2):
        ImageStore(splits_of(photographs), SMALL, 0, cache).scan(2, lambda *count: counts.append(count))
    assert counts == 2 * [(done, 40) for done in range(1, 41)]


def test_a_changed_file_is_decoded_alone(photographs: Path, cache: PixelCache, decoded: list[int]) -> None:
    first = scanned(photographs, cache)
    changed = first.splits.files[7]  # type: ignore[index]
    as_it_was = changed.stat()
    content = bytearray(changed.read_bytes())
    content[-20] ^= 1
    changed.write_bytes(content)
    os.utime(changed, ns=(as_it_was.st_atime_ns, as_it_was.st_mtime_ns))
    decoded.clear()
    second = scanned(photographs, cache)
    assert decoded == [7], "even with its old size and time"
    assert same(second)


def test_what_moves_or_is_copied_is_not_decoded_again(
    photographs: Path, cache: PixelCache, decoded: list[int]
) -> None:
    scanned(photographs, cache)
    decoded.clear()
    shutil.copytree(photographs, photographs.with_name("copies"))
    assert same(scanned(photographs.with_name("copies"), cache))
    (photographs / "a" / "00.jpg").rename(photographs / "a" / "zero.jpg")
    assert same(scanned(photographs, cache))
    assert not decoded


@pytest.mark.parametrize("what", ["size", "bound", "version"])
def test_prepared_otherwise_is_decoded_anew(
    photographs: Path, cache: PixelCache, decoded: list[int], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanned(photographs, cache)
    decoded.clear()
    preprocessing = SMALL.at_size(64) if what == "size" else SMALL
    if what == "bound":
        cache = replace(cache, max_pixels=MAX_PIXELS - 1)
    if what == "version":
        newer = {**keys.versions(), "pillow": "99"}
        monkeypatch.setattr(keys, "versions", lambda: newer)
    ImageStore(splits_of(photographs), preprocessing, 0, cache).scan(2, lambda done, total: None)
    assert len(decoded) == 40


def test_bad_images_are_told_each_time_and_the_good_ones_kept(
    photographs: Path, cache: PixelCache, decoded: list[int]
) -> None:
    bad = [photographs / "a" / "04.jpg", photographs / "b" / "05.jpg"]
    for path in bad:
        path.write_bytes(path.read_bytes()[:1000])
    for times in (40, 2):
        with pytest.raises(DataError, match="2 of 40 images") as caught:
            scanned(photographs, cache)
        assert all(str(path) in caught.value.what for path in bad)
        assert len(decoded) == times
        decoded.clear()
    skipping = scanned(photographs, cache, skip=True)
    assert set(skipping.splits.left_out) == {"a/04.jpg", "b/05.jpg"}
    assert same(skipping)


def test_images_without_files_are_as_before(photographs: Path, cache: PixelCache) -> None:
    splits = replace(splits_of(photographs), files=None)
    store = ImageStore(splits, SMALL, 2**30, cache)
    store.scan(2, lambda done, total: None)
    assert store.in_memory
    assert not cache.store.entries()


def test_without_room_images_are_held_in_memory(
    photographs: Path, told: list[Finding], tmp_path: Path, decoded: list[int]
) -> None:
    for bound in (1000, 60_000):  # refused at once; refused when it turns out to be larger than was guessed
        tiny = PixelCache(Store(tmp_path / "tiny", bound, told.append), tmp_path / "stamps", MAX_PIXELS)
        store = scanned(photographs, tiny)
        assert store.in_memory
        assert len(store._kept) == 40
        decoded.clear()
        assert same(store)
        assert not decoded
    assert {finding.rule for finding in told} == {"cache-full"}


SCAN_ON_A_FULL_DISK = """
import sys
from pathlib import Path
from tests.engine.cache import test_pixels as here
told = []
cache = here.PixelCache(here.Store(Path(sys.argv[2]), 2**30, told.append), Path(sys.argv[3]), here.MAX_PIXELS)
store = here.scanned(Path(sys.argv[1]), cache)
print([finding.rule for finding in told], len(store._kept), store.in_memory, here.same(store))
"""


def test_a_disk_that_fills_up_in_between(photographs: Path, tmp_path: Path) -> None:
    said = python_where_files_end_at(
        50_000, SCAN_ON_A_FULL_DISK, photographs, tmp_path / "store", tmp_path / "stamps"
    )
    assert said == "['cache-full'] 40 True True\n"


def test_a_flipped_bit_is_decoded_anew(
    photographs: Path, cache: PixelCache, told: list[Finding], decoded: list[int]
) -> None:
    scanned(photographs, cache)
    (entry,) = cache.store.entries()
    content = bytearray((entry.folder / DATA).read_bytes())
    content[len(content) // 2] ^= 1
    (entry.folder / DATA).write_bytes(content)
    decoded.clear()
    assert same(scanned(photographs, cache))
    assert decoded
    assert [finding.rule for finding in told] == ["cache-damaged"]
    assert not cache.store.entries()
    decoded.clear()
    assert same(scanned(photographs, cache))
    assert len(decoded) == 40


def test_a_file_that_changes_while_it_is_read_is_not_kept(
    photographs: Path, cache: PixelCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = photographs / "a" / "00.jpg"
    other = (photographs / "b" / "01.jpg").read_bytes()
    prepare_one = ImageStore._prepare

    def changing(self: ImageStore, index: int) -> torch.Tensor:
        if index == 0 and path.read_bytes() != other:
            path.write_bytes(other)
        return prepare_one(self, index)

    monkeypatch.setattr(ImageStore, "_prepare", changing)
    store = scanned(photographs, cache)
    (entry,) = cache.store.entries()
    assert entry.manifest.shape == (39,)
    assert same(store)


def test_other_streams_and_other_processes(photographs: Path, cache: PixelCache, decoded: list[int]) -> None:
    store = scanned(photographs, cache)
    decoded.clear()
    assert same(store.divided_as(store.splits))
    assert not decoded
    assert same(pickle.loads(pickle.dumps(store)))


def test_a_test_alone_comes_from_the_training_s(
    photographs: Path, cache: PixelCache, decoded: list[int]
) -> None:
    splits = scanned(photographs, cache).splits
    decoded.clear()
    asked = replace(splits, streams={"test": splits.streams["test"]})
    ImageStore(asked, SMALL, 0, cache).scan(2, lambda done, total: None)
    assert not decoded
    assert len(cache.store.entries()) == 1
