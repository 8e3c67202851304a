"""Pairs of hashes that differ in few bits, found without comparing all with all.

A hash is cut into four parts of 16 bits. Where two hashes differ in at most RADIUS bits, one of the parts differs in
at most a quarter of them. So each hash asks four tables, sorted by that part, for the few values that its own part
may have turned into, and only what lies there is compared in full.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import numpy.typing as npt

from ftcli.engine.audit.hashes import Hashes

RADIUS = 11
"""Bits of 64 that may differ."""
CROWD = 64
"""Images with one hash that are all compared with each other; of more, each with as many that come after it."""
_PARTS, _PART_BITS = 4, 16
_BLOCK = 2_000_000
Indices = npt.NDArray[np.int64]
Pairs = npt.NDArray[np.int32]
"""(N, 2)."""


def near_pairs(queries: Hashes, stored: Hashes, radius: int = RADIUS) -> Pairs:
    """Every (i, j), i != j, with queries[i] within `radius` bits of stored[j]; queries[k] is of the image of stored[k].

    Where both are the same, each pair comes once, i < j. Where more than CROWD images share a hash (thousands of
    gray squares), not every pair among them is given.
    """
    values, members = _grouped(stored)
    asked, askers = _grouped(queries)
    found = [np.empty(0, np.int64)]
    for block in _value_pairs(asked, values, radius):
        pairs = _expanded(block, askers, members)
        kept = pairs[:, 0] < pairs[:, 1] if queries is stored else pairs[:, 0] != pairs[:, 1]
        found.append(_keys(pairs[kept]))
    keys = np.concatenate(found)
    keys.sort()
    return np.stack([keys >> 32, keys & 0xFFFFFFFF], axis=1).astype(np.int32)


def _keys(pairs: Pairs) -> Indices:
    """One number a pair, which sorts ten times as fast as rows do."""
    keys: Indices = pairs[:, 0].astype(np.int64) << 32 | pairs[:, 1]
    return keys


class _Groups:
    """Which images have the n-th of the different hashes: those from starts[n] up to starts[n + 1] in `order`."""

    def __init__(self, order: Indices, starts: Indices) -> None:
        self.order = order
        self.starts = starts
        self.sizes = np.diff(starts)


def _grouped(hashes: Hashes) -> tuple[Hashes, _Groups]:
    order = np.argsort(hashes, kind="stable")
    values, starts = np.unique(hashes[order], return_index=True)
    return values, _Groups(order, np.append(starts, len(hashes)))


def _value_pairs(asked: Hashes, values: Hashes, radius: int) -> Iterator[tuple[Indices, Indices]]:
    """Index pairs of hashes within the radius, each once: by the first part in which the two are near."""
    flips = _flips(radius // _PARTS)
    for part in range(_PARTS):
        shift = np.uint64(part * _PART_BITS)
        keys = (values >> shift).astype(np.uint16)
        order = np.argsort(keys, kind="stable")
        starts = np.searchsorted(keys[order], np.arange(2**_PART_BITS + 1))
        asked_keys = (asked >> shift).astype(np.uint16)
        for flip in flips:
            bucket = (asked_keys ^ flip).astype(np.int64)
            first, sizes = starts[bucket], starts[bucket + 1] - starts[bucket]
            for query, slot in _slots(first, sizes):
                other = order[slot]
                apart = asked[query] ^ values[other]
                near = np.flatnonzero(np.bitwise_count(apart) <= radius)
                near = near[_nowhere_nearer(apart[near], part, radius // _PARTS)]
                yield query[near], other[near]


def _nowhere_nearer(apart: Hashes, part: int, most: int) -> npt.NDArray[np.bool_]:
    """Whether no part before this one has as few different bits: there the pair was found already."""
    new = np.ones(len(apart), bool)
    for earlier in range(part):
        new &= np.bitwise_count((apart >> np.uint64(earlier * _PART_BITS)).astype(np.uint16)) > most
    return new


def _flips(most: int) -> list[np.uint16]:
    """Every pattern of at most `most` bits in a part."""
    chosen = [bits for number in range(most + 1) for bits in combinations(range(_PART_BITS), number)]
    return [np.uint16(sum(1 << bit for bit in bits)) for bits in chosen]


def _slots(first: Indices, sizes: Indices) -> Iterator[tuple[Indices, Indices]]:
    """Each query with every slot of its bucket, in blocks that memory holds."""
    busy = np.flatnonzero(sizes)
    ends = np.cumsum(sizes[busy])
    begin = 0
    while begin < len(busy):
        before = ends[begin - 1] if begin else 0
        end = max(int(np.searchsorted(ends, before + _BLOCK, side="right")), begin + 1)
        queries = busy[begin:end]
        yield _ranges(queries, first[queries], sizes[queries])
        begin = end


def _ranges(names: Indices, first: Indices, sizes: Indices) -> tuple[Indices, Indices]:
    """Each name repeated, beside first, first + 1, ... as often as its size says."""
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.repeat(names, sizes), np.repeat(first, sizes) + within


def _expanded(block: tuple[Indices, Indices], askers: _Groups, members: _Groups) -> Pairs:
    """Pairs of hashes -> pairs of images."""
    query, other = block
    rows, slots = _ranges(np.arange(len(query)), askers.starts[query], askers.sizes[query])
    first, partners = askers.order[slots], other[rows]
    sizes = members.sizes[partners]
    start = np.where(sizes > CROWD, _place(members, partners, first), 0)
    taken = np.minimum(sizes - start, CROWD)
    rows, slots = _ranges(np.arange(len(first)), members.starts[partners] + start, taken)
    return np.stack([first[rows], members.order[slots]], axis=1).astype(np.int32)


def _place(members: _Groups, group: Indices, image: Indices) -> Indices:
    """How many in a crowd come before the image, as far as a mean tells: groups are in the images' order."""
    share = image / max(len(members.order), 1)
    return np.minimum(
        (share * members.sizes[group]).astype(np.int64), np.maximum(members.sizes[group] - 1, 0)
    )
