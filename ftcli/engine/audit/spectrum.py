"""A thumbnail as waves (its cosine transform): coarse shape first, and the mirror image for a change of signs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ftcli.engine.audit.fingerprint import SIDE

WAVES = 14
"""Waves kept in each direction. An image of 14 pixels has no more, so that a shrunk copy still has them all."""
Floats = npt.NDArray[np.float32]
_BLOCK = 8192


def waves_at(positions: Floats, number: int = WAVES) -> tuple[Floats, Floats]:
    """The waves at positions (..., N) in pixels, and their slopes: (..., N, number) each.

    Any position may be asked for, not whole pixels alone: a crop is the same waves at other positions.
    """
    scale = np.full(number, np.sqrt(2 / SIDE), np.float32)
    scale[0] = np.sqrt(1 / SIDE)
    speed = (np.pi * np.arange(number) / SIDE).astype(np.float32)
    angle = (positions[..., None] + np.float32(0.5)) * speed
    return np.cos(angle) * scale, -np.sin(angle) * scale * speed


def spectra(gray: npt.NDArray[np.uint8] | Floats) -> Floats:
    """(N, SIDE, SIDE) thumbnails -> (N, WAVES, WAVES), rows first; [0, 0] is the mean brightness."""
    basis, _ = waves_at(np.arange(SIDE, dtype=np.float32))
    found = np.empty((len(gray), WAVES, WAVES), np.float32)
    for start in range(0, len(gray), _BLOCK):
        block = gray[start : start + _BLOCK].astype(np.float32)
        found[start : start + _BLOCK] = basis.T @ block @ basis
    return found


def mirrored(waves: Floats) -> Floats:
    """The spectra of the mirror images: left and right exchanged turns every second wave upside down."""
    signs = np.where(np.arange(WAVES) % 2, -1, 1).astype(np.float32)
    return waves * signs
