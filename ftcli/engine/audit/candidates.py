"""Pairs worth a fit: looked up by hash under several views of each image, sifted by a first look (`tangent`).

Each image is asked for as it is, mirrored, cropped a little at the centre and in each corner, and made brighter. A
hash finds the nearest of these, so that it may be small and strict itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ftcli.engine.audit.fingerprint import SIDE
from ftcli.engine.audit.hashes import Hashes, hashes, shares
from ftcli.engine.audit.level import relit
from ftcli.engine.audit.neighbours import RADIUS, Pairs, near_pairs
from ftcli.engine.audit.spectrum import Floats, mirrored, spectra, waves_at
from ftcli.engine.audit.tangent import coarse, distances, planes

_CROP = 0.042
_LIGHT = 1.25
_WHITENED = 0.05
"""From this distance at first look on, brightening is more than a first look sees through: it wants a view."""
_ALIKE = 0.15
"""The largest distance at first look (`tangent.distances`) that is worth a fit."""
_LOOKS = 4
"""Fits per image, with its nearest."""
FEW = 256
"""Images that are all compared with each other: their median says too little for hashes."""
_BLOCK = 1024


@dataclass(frozen=True)
class View:
    """How an image is turned before its hash is asked for."""

    crop: float = 0.0
    corner: tuple[int, int] = (0, 0)
    mirror: bool = False
    light: float = 1.0

    @property
    def one_way(self) -> bool:
        """Whether a pair is found from one of its two sides only."""
        return self.crop > 0 or self.light > 1


@dataclass(frozen=True)
class Candidates:
    """Pairs worth a fit: which image is turned to which of `views()` and laid on which, and how far the first look
    puts them apart."""

    pairs: Pairs
    view: npt.NDArray[np.int64]
    distance: Floats


def views() -> list[View]:
    corners = [(0, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)]
    return [View(), View(mirror=True), *(View(_CROP, corner) for corner in corners), View(light=_LIGHT)]


def candidates(gray: npt.NDArray[np.uint8], colour: npt.NDArray[np.uint8]) -> Candidates:
    """Of all views; each pair once as it is and once mirrored, under the view that brings it nearest."""
    waves = spectra(gray)
    plain = shares(waves)
    middle = np.median(plain, axis=0) if len(plain) else plain[:0].sum(axis=0)
    stored = hashes(plain, middle)
    plane = planes(waves, gray)
    parts = []
    for number, view in enumerate(views()):
        turned, asking = _turned(waves, view), np.arange(len(waves))
        if view.light > 1:
            turned = _brightened(gray, colour, view.light)
            asking = _changed(turned, plane)
        queries = hashes(shares(turned), middle) if number else stored
        pairs = _asked(queries, stored, view, asking)
        distance = distances(coarse(turned), plane, pairs)
        near = distance < _ALIKE
        parts.append(Candidates(pairs[near], np.full(int(near.sum()), number), distance[near]))
    return _nearest(parts, len(waves))


def _asked(queries: Hashes, stored: Hashes, view: View, asking: npt.NDArray[np.int64]) -> Pairs:
    if len(stored) <= FEW:
        pairs = np.argwhere(~np.eye(len(stored), dtype=bool)).astype(np.int32)
    else:
        pairs = near_pairs(queries, stored, RADIUS - 2 if view.one_way else RADIUS)
    if view.one_way:
        return pairs[np.isin(pairs[:, 0], asking)] if len(asking) < len(stored) else pairs
    return pairs[pairs[:, 0] < pairs[:, 1]]


def _nearest(parts: list[Candidates], number: int) -> Candidates:
    """Of each image the few nearest: it bounds the work where thousands look alike."""
    pairs = np.concatenate([part.pairs for part in parts])
    view = np.concatenate([part.view for part in parts])
    distance = np.concatenate([part.distance for part in parts])
    low, high = pairs.min(axis=1, initial=2**31 - 1), pairs.max(axis=1, initial=0)
    mirror = np.array([view.mirror for view in views()])[view]
    key = (low.astype(np.int64) * max(number, 1) + high) * 2 + mirror
    order = np.lexsort((distance, key))
    order = order[np.diff(key[order], prepend=-1) > 0]
    kept = np.zeros(len(order), bool)
    for ends in (low[order], high[order]):
        kept |= _rank(ends, distance[order]) < _LOOKS
    chosen = order[kept]
    return Candidates(pairs[chosen], view[chosen], distance[chosen])


def _rank(names: npt.NDArray[np.int32], distance: Floats) -> npt.NDArray[np.int64]:
    """How many with the same name are nearer."""
    order = np.lexsort((distance, names))
    ordered = names[order]
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names)) - np.searchsorted(ordered, ordered)
    return rank


def _turned(waves: Floats, view: View) -> Floats:
    """The spectra of the mirror image, or of what a crop leaves: the same waves, looked at in other places."""
    if view.mirror:
        return mirrored(waves)
    if not view.crop:
        return waves
    places = np.arange(SIDE, dtype=np.float32)
    basis, _ = waves_at(places)
    middle = np.float32((SIDE - 1) / 2)
    turn = []
    for side in view.corner:
        at = (places - middle) * (1 - view.crop) + middle + side * view.crop * SIDE / 2
        turn.append(basis.T @ waves_at(at.astype(np.float32))[0])
    cropped: Floats = (turn[0] @ waves @ turn[1].T).astype(np.float32)
    return cropped


def _brightened(gray: npt.NDArray[np.uint8], colour: npt.NDArray[np.uint8], times: float) -> Floats:
    """The spectra of the images as they would be, had they been made brighter."""
    parts = [spectra(gray[:0])]
    for begin in range(0, len(gray), _BLOCK):
        block = gray[begin : begin + _BLOCK].astype(np.float32)
        light = np.full(len(block), times, np.float32)
        parts.append(spectra(relit(block, colour[begin : begin + _BLOCK], light)))
    return np.concatenate(parts)


def _changed(turned: Floats, plane: Floats) -> npt.NDArray[np.int64]:
    """Images that a view makes another one to the first look; of the rest the plain view finds what there is."""
    own = np.arange(len(turned), dtype=np.int32)
    far = distances(coarse(turned), plane, np.stack([own, own], axis=1)) > _WHITENED
    return np.flatnonzero(far)
