"""Near hashes are all found, and only those, however many there are of a kind."""

from __future__ import annotations

import time

import numpy as np
import pytest

from ftcli.engine.audit.neighbours import RADIUS, near_pairs


def by_hand(queries: np.ndarray, stored: np.ndarray, radius: int) -> set[tuple[int, int]]:
    distance = np.bitwise_count(queries[:, None] ^ stored[None])
    return {(int(i), int(j)) for i, j in np.argwhere(distance <= radius)}


def around(centres: int, each: int, flips: int) -> np.ndarray:
    """Hashes in clouds: so they lie in real data."""
    rng = np.random.default_rng(1)
    middle = rng.integers(0, 2**63, centres, dtype=np.uint64)
    masks = np.zeros((centres, each), np.uint64)
    for _ in range(flips):
        masks ^= np.uint64(1) << rng.integers(0, 64, masks.shape, dtype=np.uint64)
    return (middle[:, None] ^ masks).reshape(-1)


@pytest.mark.parametrize("radius", [0, 3, 7, RADIUS])
def test_the_same_pairs_as_all_with_all(radius: int) -> None:
    hashes = around(20, 15, 4)
    expected = {(i, j) for i, j in by_hand(hashes, hashes, radius) if i < j}
    assert set(map(tuple, near_pairs(hashes, hashes, radius).tolist())) == expected
    assert expected or radius < 7


def test_other_queries_give_both_orders_but_no_image_with_itself() -> None:
    stored = around(10, 10, 6)
    queries = stored[::-1].copy()
    expected = {(i, j) for i, j in by_hand(queries, stored, 9) if i != j}
    assert set(map(tuple, near_pairs(queries, stored, 9).tolist())) == expected


def test_a_crowd_of_equal_hashes_costs_no_square() -> None:
    hashes = np.full(8_000, 12345, np.uint64)
    started = time.perf_counter()
    pairs = near_pairs(hashes, hashes)
    assert time.perf_counter() - started < 5
    assert 7_900 < len(pairs) < 8_000 * 65
    assert len(np.unique(pairs)) == 8_000, "each has a partner"


def test_nothing_is_near_nothing() -> None:
    none = np.empty(0, np.uint64)
    assert near_pairs(none, none).shape == (0, 2)
