"""64 bits of an image: similar images have similar bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ftcli.engine.audit.spectrum import WAVES, Floats

BITS = 64
Hashes = npt.NDArray[np.uint64]


def shares(waves: Floats) -> Floats:
    """(N, WAVES, WAVES) -> (N, BITS) of length 1: what brightness and contrast leave as it is."""
    rows, columns = _coarsest()
    chosen = waves[:, rows, columns]
    length = np.linalg.norm(chosen, axis=1, keepdims=True)
    found: Floats = chosen / np.maximum(length, 1e-6)
    return found


def hashes(shares: Floats, middle: Floats) -> Hashes:
    """A bit says whether one of the 64 coarsest waves lies above its median over all images of the set.

    Where all images are much alike (a thousand trousers, upright on black) such bits still tell them apart, as
    those of a hash that knows nothing of the set do not.
    """
    packed = np.ascontiguousarray(np.packbits(shares > middle, axis=1))
    found: Hashes = packed.view(np.uint64)[:, 0]
    return found


def _coarsest() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and columns of the 64 waves with the lowest frequency but the mean."""
    rows, columns = np.divmod(np.arange(1, WAVES * WAVES), WAVES)
    order = np.lexsort((rows, np.hypot(rows, columns)))[:BITS]
    return rows[order], columns[order]
