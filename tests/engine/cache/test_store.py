"""The store: what was put in comes out, bit for bit, or nothing does."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ftcli.engine.cache.manifest import DATA, MANIFEST, ROWS
from ftcli.engine.cache.store import Store
from ftcli.findings import Finding

KEY = "a" * 64
LARGE = 2**30


def numbers(rows: int = 10, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(rows, 3, 4, generator=torch.Generator().manual_seed(0)).to(dtype)


def fill(store: Store, rows: Tensor, key: str = KEY) -> None:
    with store.create(key, "features", rows.shape, rows.dtype, {"what": "numbers"}) as writer:
        for part in rows.split(3):
            writer.append(part)


def images() -> list[Tensor]:
    sizes = [(8, 5), (1, 1), (64, 200), (7, 7)]
    return [torch.randint(256, (3, *size), dtype=torch.uint8) for size in sizes]


def fill_images(store: Store, pictures: list[Tensor], key: str = KEY) -> None:
    with store.create_images(key, {"what": "pictures"}, sum(image.nbytes for image in pictures)) as writer:
        for number, image in enumerate(pictures):
            assert writer.append(image, bytes([number] * 31 + [0]))


@pytest.fixture
def told() -> list[Finding]:
    return []


@pytest.fixture
def store(tmp_path: Path, told: list[Finding]) -> Store:
    return Store(tmp_path / "store", LARGE, told.append)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.uint8, torch.int64])
def test_rows_come_back_bit_for_bit(store: Store, dtype: torch.dtype) -> None:
    rows = numbers(dtype=dtype)
    assert store.open(KEY) is None
    fill(store, rows)
    found = store.open(KEY)
    assert found is not None
    assert found.dtype == dtype
    assert torch.equal(found, rows)


def test_no_rows_and_rows_of_one_number(store: Store) -> None:
    for key, rows in (("b" * 64, torch.empty(0, 5)), ("c" * 64, torch.arange(7))):
        fill(store, rows, key)
        found = store.open(key)
        assert found is not None
        assert found.shape == rows.shape
        assert torch.equal(found, rows)


def test_images_of_any_size(store: Store) -> None:
    pictures = images()
    fill_images(store, pictures)
    found = store.open_images(KEY)
    assert found is not None
    assert len(found) == 4
    assert all(torch.equal(found[i], image) for i, image in enumerate(pictures))
    assert found.contents == [bytes([i] * 31 + [0]) for i in range(4)]
    assert store.open(KEY) is None, "it is no tensor"


def test_a_content_is_kept_once(store: Store) -> None:
    with store.create_images(KEY, {}, 1000) as writer:
        for _ in range(3):
            assert writer.append(torch.zeros(3, 4, 4, dtype=torch.uint8), bytes(32))
    assert len(store.open_images(KEY) or []) == 1


def test_a_write_into_what_was_opened_reaches_nobody_else(store: Store) -> None:
    fill(store, numbers())
    mine = store.open(KEY)
    assert mine is not None
    mine.zero_()
    other = store.open(KEY)
    assert other is not None
    assert torch.equal(other, numbers())


def test_rows_of_another_shape_are_a_mistake(store: Store) -> None:
    with (
        pytest.raises(ValueError, match="the entry's are float32"),
        store.create(KEY, "features", (2, 3), torch.float32, {}) as writer,
    ):
        writer.append(torch.zeros(2, 4))
    with (
        pytest.raises(ValueError, match="were appended"),
        store.create(KEY, "features", (2, 3), torch.float32, {}) as writer,
    ):
        writer.append(torch.zeros(1, 3))
    assert store.open(KEY) is None
    assert not list(store.folder.iterdir())


def test_after_an_exception_nothing_is_left(store: Store) -> None:
    def interrupted() -> None:
        with store.create(KEY, "features", (10, 3, 4), torch.float32, {}) as writer:
            writer.append(numbers(3))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert store.open(KEY) is None
    assert not list(store.folder.iterdir())


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 16
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: flip(entry / DATA, 100),
        lambda entry: flip(entry / MANIFEST, 60),
        lambda entry: (entry / DATA).write_bytes((entry / DATA).read_bytes()[:-1]),
        lambda entry: (entry / DATA).write_bytes(b""),
        lambda entry: (entry / MANIFEST).write_text("{}"),
        lambda entry: (entry / MANIFEST).write_text("[1]"),
        lambda entry: (entry / MANIFEST).write_bytes(b"\xff"),
        lambda entry: (entry / DATA).unlink(),
        lambda entry: (entry / MANIFEST).unlink(),
    ],
    ids=["bit", "manifest-bit", "cut", "empty", "no-manifest", "list", "binary", "no-data", "gone"],
)
def test_what_is_damaged_is_removed_and_told(store: Store, told: list[Finding], damage: object) -> None:
    fill(store, numbers())
    damage(store.folder / KEY)  # type: ignore[operator]
    assert store.open(KEY) is None
    assert [finding.rule for finding in told] == ["cache-damaged"]
    assert not list(store.folder.iterdir())
    fill(store, numbers())
    assert store.open(KEY) is not None


@pytest.mark.parametrize("file", [DATA, MANIFEST])
def test_every_flipped_bit_is_found(tmp_path: Path, file: str) -> None:
    """Byte by byte, the entry laid anew each time."""
    fill(Store(tmp_path, LARGE), numbers(2))
    path = tmp_path / KEY / file
    whole = path.read_bytes()
    manifest = (tmp_path / KEY / MANIFEST).read_bytes()
    data = (tmp_path / KEY / DATA).read_bytes()
    for at in range(len(whole)):
        folder = tmp_path / KEY
        folder.mkdir(exist_ok=True)
        (folder / MANIFEST).write_bytes(manifest)
        (folder / DATA).write_bytes(data)
        flip(path, at)
        assert Store(tmp_path, LARGE).open(KEY) is None, at


@pytest.mark.parametrize("at", [0, 4095, 4096, 38_000, -1])
def test_a_flipped_bit_in_an_image_is_found_when_it_is_taken(store: Store, at: int) -> None:
    from ftcli.engine.cache.manifest import Damaged

    pictures = images()
    fill_images(store, pictures)
    flip(store.folder / KEY / DATA, at)
    found = store.open_images(KEY)
    assert found is not None
    bad = 0
    for number, image in enumerate(pictures):
        try:
            assert torch.equal(found[number], image)
        except Damaged:
            bad += 1
    assert bad == 1


@pytest.mark.parametrize("file", [ROWS, DATA, MANIFEST])
def test_a_table_of_images_that_is_damaged(store: Store, told: list[Finding], file: str) -> None:
    fill_images(store, images())
    path = store.folder / KEY / file
    path.write_bytes(path.read_bytes()[:-2])
    assert store.open_images(KEY) is None
    assert [finding.rule for finding in told] == ["cache-damaged"]


def test_the_longest_unused_goes_first(tmp_path: Path) -> None:
    rows = numbers()
    store = Store(tmp_path, 3 * rows.nbytes)
    keys = [letter * 64 for letter in "abcd"]
    for age, key in enumerate(keys[:3]):
        fill(store, rows, key)
        os.utime(tmp_path / key / DATA, (100 + age, 100 + age))
    assert [entry.manifest.key for entry in store.entries()] == keys[:3]
    assert store.open(keys[0]) is not None
    fill(store, rows, keys[3])
    assert [entry.manifest.key for entry in store.entries()] == [keys[2], keys[0], keys[3]]


def test_what_is_in_use_stays(tmp_path: Path) -> None:
    rows = numbers()
    told: list[Finding] = []
    store = Store(tmp_path, rows.nbytes, told.append)
    fill(store, rows, "a" * 64)
    used = store.open("a" * 64)
    assert not store.room_for(rows.nbytes)
    fill(store, rows, "b" * 64)
    assert store.open("b" * 64) is None
    assert [finding.rule for finding in told] == ["cache-full"]
    assert used is not None
    assert torch.equal(used, rows)
    del used
    assert store.room_for(rows.nbytes)
    fill(store, rows, "b" * 64)
    assert [entry.manifest.key for entry in store.entries()] == ["b" * 64]


def test_what_can_never_fit_drives_nothing_out(tmp_path: Path) -> None:
    rows = numbers()
    store = Store(tmp_path, rows.nbytes)
    fill(store, rows)
    assert not store.room_for(rows.nbytes + 1)
    fill(store, numbers(11), "b" * 64)
    assert [entry.manifest.key for entry in store.entries()] == [KEY]


def test_images_larger_than_was_guessed_make_more_room(tmp_path: Path) -> None:
    pictures = [torch.zeros(3, 100, 100, dtype=torch.uint8)] * 4
    for bound, kept in ((160_000, 4), (4 * 30_000 - 1, 0)):
        store = Store(tmp_path / str(bound), bound)
        with store.create_images(KEY, {"what": "images"}, 10_000) as writer:
            for number, image in enumerate(pictures):
                writer.append(image, bytes([number] * 32))
        assert len(store.open_images(KEY) or []) == kept


def test_a_disk_that_is_nearly_full_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from shutil import disk_usage

    rows, usage = numbers(), disk_usage(tmp_path)
    store = Store(tmp_path / "store", LARGE)
    nearly = usage._replace(total=2**40, free=2**30 + rows.nbytes - 1)
    monkeypatch.setattr("shutil.disk_usage", lambda path: nearly)
    assert not store.room_for(rows.nbytes)
    assert store.room_for(rows.nbytes - 1)


def test_findings_wait_for_somebody_to_listen(tmp_path: Path) -> None:
    store = Store(tmp_path, 10)
    fill(store, numbers())
    fill(store, numbers(), "b" * 64)
    told: list[Finding] = []
    store.listen(told.append)
    assert [finding.rule for finding in told] == ["cache-full"], "once"


def test_the_manifest_says_what_it_is(store: Store) -> None:
    fill(store, numbers(dtype=torch.bfloat16))
    manifest = json.loads((store.folder / KEY / MANIFEST).read_text())
    assert manifest["about"] == {"what": "numbers"}
    assert (manifest["kind"], manifest["shape"], manifest["dtype"]) == ("features", [10, 3, 4], "bfloat16")
    assert manifest["sizes"] == {DATA: 240}
    assert {"torch", "torchvision", "pillow", "ftcli"} <= set(manifest["versions"])
    assert manifest["created"]
