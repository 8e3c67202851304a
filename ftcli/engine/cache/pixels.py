"""Prepared images that some run has decoded before, found again by what their files contain.

An entry holds what was missing when a run began, not a data set as such: a changed file is decoded alone, and what a
test, a fold and a training have in common is kept once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ftcli.engine.cache import keys
from ftcli.engine.cache.manifest import Damaged
from ftcli.engine.cache.ragged import Images
from ftcli.engine.cache.stamps import Content, contents_of, stamp_of
from ftcli.engine.cache.store import Store
from ftcli.engine.cache.writer import ImageWriter, Tell
from ftcli.plans.data_splits import DataSplits
from ftcli.plans.preprocessing import Preprocessing

MOST_ENTRIES = 64
"""That a data set is put together from, each an open file. The largest first: small ones add little."""
SIDES = 1.5
"""Longer to shorter side, of images whose size is not known yet; cameras have 1.33 to 1.5."""


@dataclass(frozen=True)
class PixelCache:
    """Where prepared images are kept, and under which bound of `data.max_pixels` they may be taken."""

    store: Store
    stamps: Path
    max_pixels: int

    def listen(self, tell: Tell) -> None:
        """To what the cache notices of itself."""
        self.store.listen(tell)

    def look_up(
        self, splits: DataSplits, indices: Sequence[int], preprocessing: Preprocessing, workers: int
    ) -> Pixels | None:
        """None where images have no files of their own: to know them, they would have to be decoded."""
        if splits.files is None:
            return None
        files = {index: splits.files[index] for index in indices}
        contents = contents_of(files, splits.source, self.stamps, workers)
        preparation = keys.of_preparation(preprocessing, self.max_pixels, keys.versions())
        return Pixels(self.store, files, contents, preparation, preprocessing, splits.source)


class Pixels:
    """The images of one data set, as far as they lie in the store."""

    def __init__(
        self,
        store: Store,
        files: Mapping[int, Path],
        contents: Mapping[int, Content],
        preparation: str,
        preprocessing: Preprocessing,
        source: str,
    ) -> None:
        self._store, self._files, self._contents = store, files, contents
        self._preparation, self._preprocessing, self._source = preparation, preprocessing, source
        self._at: dict[bytes, tuple[Images, int]] = {}
        self.locate()

    def __contains__(self, index: int) -> bool:
        content = self._contents.get(index)
        return content is not None and content.digest in self._at

    def digest(self, index: int) -> bytes | None:
        """Of the file that its pixels were made of; None where they are not kept."""
        return self._contents[index].digest if index in self else None

    def get(self, index: int) -> Tensor | None:
        """uint8 (3, H, W); None where it is not kept, or no longer as it was written."""
        content = self._contents.get(index)
        found = None if content is None else self._at.get(content.digest)
        if found is None:
            return None
        images, row = found
        try:
            return images[row]
        except Damaged as damage:
            self._store.damaged(images.folder, str(damage))
            self._at = {name: at for name, at in self._at.items() if at[0] is not images}
            return None

    def locate(self) -> None:
        """Look through what the store has that was prepared in this way."""
        wanted = {content.digest for content in self._contents.values()} - self._at.keys()
        entries = [
            e for e in self._store.entries("images") if e.manifest.about.get("of") == self._preparation
        ]
        entries.sort(key=lambda entry: entry.manifest.bytes, reverse=True)
        for entry in entries[:MOST_ENTRIES]:
            if not wanted.isdisjoint(self._store.contents(entry)):
                wanted -= self._take(self._store.open_images(entry.manifest.key), wanted)

    def _take(self, images: Images | None, wanted: AbstractSet[bytes]) -> AbstractSet[bytes]:
        """From an entry what is wanted; returns what that is."""
        contents = [] if images is None else images.contents
        rows = {name: (images, row) for row, name in enumerate(contents) if images and name in wanted}
        self._at |= rows
        return rows.keys()

    def writer(self, indices: Sequence[int]) -> ImageWriter:
        """For what was not found."""
        missing = {self._contents[index].digest for index in indices if index in self._contents}
        about = {
            "what": f"{self._source}: images at {self._preprocessing.resize_size} pixels",
            "of": self._preparation,
        }
        expected = int(len(missing) * _bytes_of_one(self._preprocessing))
        return self._store.create_images(keys.of_images(self._preparation, missing), about, expected)

    def append(self, writer: ImageWriter, index: int, image_CHW: Tensor) -> bool:
        """Whether it is kept. Not when the file has changed since its content was looked at."""
        content = self._contents.get(index)
        if content is None or stamp_of(self._files[index]) != content.stamp:
            return False
        return writer.append(image_CHW, content.digest)


def _bytes_of_one(preprocessing: Preprocessing) -> float:
    side = max(preprocessing.resize_size, preprocessing.image_size if preprocessing.fit == "pad" else 0)
    return 3 * side**2 * (SIDES if preprocessing.fit == "crop" else 1)
