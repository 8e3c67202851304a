"""Images of different heights and widths, one behind the other in a file, and a table of where each begins.

Pixel by pixel, as decoders leave them: in another order each would have to be rearranged before it is written.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from ftcli.engine.cache.manifest import DATA, ROWS, Damaged, Manifest
from ftcli.engine.cache.mapping import mapped

ROW = np.dtype(
    [("content", "V32"), ("start", "<i8"), ("height", "<i4"), ("width", "<i4"), ("checksum", "<u4")]
)
"""An image in the table: which content it was made of, where it begins, its size, and a checksum."""
BLOCK = 4096
HELD_BYTES = 2**25
"""Of pixels that were looked at, after which the process lets go of their pages: the system still has them, and a data
set of any size takes as little of the process's memory as a small one."""


def checksum_of(raw: memoryview) -> int:
    """CRC-32 of the sums of 4 KiB blocks, and of the rest: six times as fast as one of every byte.

    A flipped bit changes its block's sum, a block in another's place their order.
    """
    flat = np.frombuffer(raw, np.uint8)
    whole = len(flat) - len(flat) % BLOCK
    sums = flat[:whole].view("<i8").reshape(-1, BLOCK // 8).sum(axis=1)
    return crc32(flat[whole:].data, crc32(sums.data))


class Images:
    """uint8 (3, H, W) by row. Each image is checked when it is first taken, not all of them before one is used."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        """Raises Damaged where the table or the size of the pixels is wrong."""
        self.folder = folder
        self._rows = read_rows(folder, manifest)
        self._checked = bytearray(len(self._rows))
        self._memory = mapped(folder / DATA, manifest.sizes[DATA])
        self._pixels = torch.frombuffer(self._memory, dtype=torch.uint8)
        self._held = 0

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: int) -> Tensor:
        """Raises Damaged when its pixels are not those that were written."""
        _, start, height, width, checksum = self._rows[row].item()
        flat = self._pixels[start : start + 3 * height * width]
        self._let_go(flat.nbytes)
        if not self._checked[row]:
            if checksum_of(flat.numpy().data) != checksum:
                raise Damaged(f"the pixels of image {row} are not those that were written")
            self._checked[row] = 1
        return flat.view(height, width, 3).permute(2, 0, 1)

    def _let_go(self, more: int) -> None:
        """Of all pages once it is enough. What is looked at again comes back, for nobody writes into them."""
        self._held += more
        if self._held > HELD_BYTES and hasattr(mmap, "MADV_DONTNEED"):
            self._memory.madvise(mmap.MADV_DONTNEED)
            self._held = more

    @property
    def contents(self) -> list[bytes]:
        """By row, the digest of what the image was made of."""
        return contents_of(self._rows)


def read_rows(folder: Path, manifest: Manifest) -> np.ndarray:
    """The table, (N,) of ROW. Raises Damaged."""
    raw = (folder / ROWS).read_bytes()
    if len(raw) != len_of(manifest) * ROW.itemsize or crc32(raw) != manifest.checksums.get(ROWS):
        raise Damaged("its table is not the one that was written")
    rows = np.frombuffer(raw, ROW)
    ends = rows["start"] + 3 * rows["height"].astype(np.int64) * rows["width"]
    if not len(rows) or ends.max() > manifest.sizes.get(DATA, -1):
        raise Damaged("its table leads past the end of its pixels")
    return rows


def contents_of(rows: np.ndarray) -> list[bytes]:
    return [content.tobytes() for content in rows["content"]]


def len_of(manifest: Manifest) -> int:
    return manifest.shape[0] if manifest.ragged else -1
