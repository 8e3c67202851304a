"""Files of an entry as memory: read when touched, given back to the system when memory is short."""

from __future__ import annotations

import mmap
import os
import sys
from math import prod
from pathlib import Path
from zlib import crc32

import torch
from torch import Tensor

from ftcli.engine import locks
from ftcli.engine.cache.manifest import DATA, Damaged, Manifest
from ftcli.stopping import safe_point

BLOCK = 2**26
_NO_RESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000) if sys.platform == "linux" else 0
"""Without it Linux refuses to map more than it has memory, though nothing is ever written there."""


def mapped(path: Path, size: int) -> mmap.mmap:
    """The file, which nobody removes as long as the mapping lives: it keeps the file open and with it our lock.

    Private to this process: a write into it would reach neither the file nor anybody else. Raises Damaged.
    """
    with path.open("rb") as file:
        descriptor = file.fileno()
        if not locks.share(descriptor):
            raise FileNotFoundError(f"{path} is being removed")
        if os.fstat(descriptor).st_size != size:
            raise Damaged(f"{path.name} has not the {size:,} bytes that were written")
        if sys.platform == "win32":
            return mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY)
        flags, protection = mmap.MAP_PRIVATE | _NO_RESERVE, mmap.PROT_READ | mmap.PROT_WRITE
        return mmap.mmap(descriptor, size, flags=flags, prot=protection)


def tensor_of(folder: Path, manifest: Manifest) -> Tensor:
    """All of it, (N, ...), every byte checked. Raises Damaged."""
    dtype, size = dtype_named(manifest.dtype), manifest.sizes.get(DATA, -1)
    if size != prod(manifest.shape) * dtype.itemsize:
        raise Damaged("its size is not that of its shape")
    if size == 0:
        return torch.empty(manifest.shape, dtype=dtype)
    memory = mapped(folder / DATA, size)
    if checksum(memory) != manifest.checksums.get(DATA):
        raise Damaged("its bytes are not those that were written")
    return torch.frombuffer(memory, dtype=dtype).view(manifest.shape)


def checksum(memory: mmap.mmap) -> int:
    """CRC-32. Against disks and not against people; three times as fast as a SHA where it was measured."""
    total = 0
    with memoryview(memory) as view:
        for start in range(0, len(view), BLOCK):
            safe_point()
            total = crc32(view[start : start + BLOCK], total)
    return total


def raw_bytes(tensor: Tensor) -> memoryview:
    """Of any dtype, bfloat16 too, which numpy does not know."""
    flat = tensor.detach().to("cpu").contiguous().flatten()
    return flat.view(torch.uint8).numpy().data


def name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def dtype_named(name: str) -> torch.dtype:
    dtype = getattr(torch, name, None)
    if not isinstance(dtype, torch.dtype):
        raise Damaged(f"{name!r} is no dtype of torch")
    return dtype
