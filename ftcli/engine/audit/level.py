"""Two thumbnails brought to one light and one size, so that what then differs is the picture.

A copy that was made brighter ran into white where it was bright, and one of half the size lost its fine detail. No
fit undoes either, but both can be done again: the darker image is made as bright as the other one, colour by colour
and with the same white, and the larger image is made as small.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from ftcli.engine.audit.fingerprint import COLOUR_SIDE, SIDE, gray_of
from ftcli.engine.audit.spectrum import Floats

ANOTHER_LIGHT = 1.08
"""Less brightening than this runs into white hardly anywhere; a fit of brightness and contrast does for it."""
_DARK, _WHITE = 20, 250
"""Values between these were not cut off; darker ones are told by noise."""
_ENOUGH = 12
"""Values that tell the light."""
_MOST_LIGHT = 2.0
_SMALLER = 0.85
"""Of the other's side: a difference in size that costs detail."""
Bytes = npt.NDArray[np.uint8]
Sides = npt.NDArray[np.int64]


def light(first: Bytes, second: Bytes) -> Floats:
    """How many times brighter the second is, (N,), by the median of what was not cut off."""
    one, other = (
        image.reshape(len(image), COLOUR_SIDE**2 * 3).astype(np.float32) for image in (first, second)
    )
    tells = (one > _DARK) & (one < _WHITE) & (other > _DARK) & (other < _WHITE)
    ratio = np.sort(np.where(tells, other / np.maximum(one, 1), np.inf), axis=1)
    number = tells.sum(axis=1)
    middle = ratio[np.arange(len(ratio)), np.minimum(number // 2, ratio.shape[1] - 1)]
    times = np.clip(np.where(number >= _ENOUGH, middle, 1), 1 / _MOST_LIGHT, _MOST_LIGHT)
    found: Floats = np.where(np.maximum(times, 1 / times) < ANOTHER_LIGHT, 1, times).astype(np.float32)
    return found


def relit(gray: Floats, colour: Bytes, times: Floats) -> Floats:
    """(N, SIDE, SIDE) as it would be had the image been made brighter; its colours are those of the small thumbnail."""
    larger = _resizing(COLOUR_SIDE, SIDE)
    smooth = (larger @ colour.transpose(0, 3, 1, 2).astype(np.float32) @ larger.T).transpose(0, 2, 3, 1)
    full = np.clip(smooth + (gray - gray_of(smooth))[..., None], 0, 255)
    made: Floats = gray_of(np.minimum(full * times[:, None, None, None], 255))
    return made


def one_light(grays: tuple[Floats, Floats], colours: tuple[Bytes, Bytes]) -> tuple[Floats, Floats]:
    """The darker of each pair made as bright as the other one."""
    times = light(*colours)
    return _as_bright(grays[0], colours[0], times), _as_bright(
        grays[1], colours[1], np.asarray(1 / times, np.float32)
    )


def _as_bright(gray: Floats, colour: Bytes, times: Floats) -> Floats:
    rows = np.flatnonzero(times > 1)
    changed = gray.copy()
    changed[rows] = relit(gray[rows], colour[rows], times[rows])
    return changed


def one_size(grays: tuple[Floats, Floats], sides: tuple[Sides, Sides]) -> tuple[Floats, Floats]:
    """The larger of each pair made as small as the other one, where the thumbnail shows more than that has."""
    first, second = sides
    return _as_small(grays[0], first, second), _as_small(grays[1], second, first)


def _as_small(gray: Floats, own: Sides, other: Sides) -> Floats:
    changed = gray.copy()
    smaller = (other < SIDE) & (other < _SMALLER * own)
    for side in np.unique(other[smaller]).tolist():
        rows = np.flatnonzero(smaller & (other == side))
        down, up = _resizing(SIDE, side), _resizing(side, SIDE)
        small = np.clip(down @ gray[rows] @ down.T, 0, 255)
        changed[rows] = np.clip(up @ small @ up.T, 0, 255)
    return changed


@cache
def _resizing(old: int, new: int) -> Floats:
    """(new, old): what `Image.resize` does along one side."""
    unit = Image.fromarray(np.eye(old, dtype=np.float32))
    found: Floats = np.asarray(unit.resize((new, old), Image.Resampling.LANCZOS)).T.copy()
    return found
