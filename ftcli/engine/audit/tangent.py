"""A first look at a pair: what remains after every small change at once, without moving an image.

To first order a shift, a stretch, a change of contrast and one of the tone curve each add one fixed pattern to an
image. These span a plane; how far another image lies from it is one small multiplication, where a fit takes hundreds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ftcli.engine.audit.fingerprint import SIDE
from ftcli.engine.audit.spectrum import Floats, spectra, waves_at

_COARSE = 8
"""Waves per direction that are looked at: of finer ones a shift by a few pixels is no longer of first order."""
_SOFT = 4.0
"""The wave that counts for 0.6 of the coarsest; finer ones for less."""
_BLOCK = 50_000
"""Pairs at a time."""
_IMAGES = 4096
"""Images at a time: each takes twelve times its waves on the way."""


def planes(waves: Floats, gray: npt.NDArray[np.uint8]) -> Floats:
    """Per image the directions, each of length 1, that its small changes lead to: (N, waves, 6)."""
    found = np.empty((len(waves), _COARSE**2 - 1, 6), np.float32)
    for begin in range(0, len(waves), _IMAGES):
        part = slice(begin, begin + _IMAGES)
        found[part] = _planes(waves[part], gray[part])
    return found


def _planes(waves: Floats, gray: npt.NDArray[np.uint8]) -> Floats:
    places = np.arange(SIDE, dtype=np.float32)
    basis, speed = waves_at(places)
    unit = ((places - (SIDE - 1) / 2) / (SIDE / 2)).astype(np.float32)
    slope: Floats = basis.T @ speed
    stretch: Floats = (basis.T @ (unit[:, None] * speed)).astype(np.float32)
    curved = spectra((gray.astype(np.uint16) ** 2 // 256).astype(np.uint8))
    changes: list[Floats] = [
        waves,
        slope @ waves,
        waves @ slope.T,
        stretch @ waves,
        waves @ stretch.T,
        curved,
    ]
    found: Floats = np.linalg.qr(np.stack([coarse(change) for change in changes], axis=2))[0]
    return found


def coarse(waves: Floats) -> Floats:
    """The coarsest waves but the mean, the finer the weaker: (N, waves)."""
    order = np.arange(_COARSE, dtype=np.float32)
    soft = np.exp(-(order[:, None] ** 2 + order**2) / (2 * _SOFT**2)).astype(np.float32)
    flat: Floats = (waves[:, :_COARSE, :_COARSE] * soft).reshape(len(waves), _COARSE**2)[:, 1:]
    return flat


def distances(asked: Floats, plane: Floats, pairs: npt.NDArray[np.int32]) -> Floats:
    """Per pair (i, j) the share of asked[i] that lies outside plane[j]: 0 for a copy."""
    found = np.empty(len(pairs), np.float32)
    for begin in range(0, len(pairs), _BLOCK):
        first, second = pairs[begin : begin + _BLOCK].T
        image = asked[first]
        power = (image**2).sum(axis=1)
        inside = (np.matmul(image[:, None, :], plane[second])[:, 0] ** 2).sum(axis=1)
        found[begin : begin + _BLOCK] = np.sqrt(np.maximum(power - inside, 0) / np.maximum(power, 1e-6))
    return found
