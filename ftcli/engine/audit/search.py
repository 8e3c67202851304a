"""Near copies among many thumbnails: looked up by hash, sifted by a first look (`tangent`), confirmed by their pixels.

Each image is asked for under several views: as it is, mirrored, and cropped a little at the centre and in each corner.
A hash finds the nearest of these, so that it may be small and strict itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ftcli.engine.audit.confirm import Fit, fit
from ftcli.engine.audit.fingerprint import SIDE
from ftcli.engine.audit.hashes import Hashes, hashes, shares
from ftcli.engine.audit.neighbours import RADIUS, Pairs, near_pairs
from ftcli.engine.audit.spectrum import Floats, mirrored, spectra, waves_at
from ftcli.engine.audit.tangent import coarse, distances, planes

CERTAIN = 0.04
"""What may remain between two images (`Fit.rest`) that are one picture whatever else there is."""
LIKELY = 0.125
"""What may remain at most; such a pair must stand out from the look-alikes of both."""
SMALL = 48
"""Pixels of the shorter side below which images have too little detail to be sure of: they get the next bounds."""
CERTAIN_SMALL = 0.03
LIKELY_SMALL, LIKELY_SMALL_MOVED = 0.09, 0.05
"""What may remain at most as it is, and once it was moved, mirrored or made brighter: many a shoe fits another so."""
_MOVED, _BRIGHTER = 0.02, 0.08
STANDS_OUT, STANDS_OUT_MOVED = 0.65, 0.55
"""From its look-alikes: at most this share of what remains between the image and the RIVAL-th best."""
RIVAL = 3
FAR = 0.115
"""A stretch or shift that is another framing, no crop of a few percent: what fits then is another drawing."""
COLOUR = 0.5
"""What may remain between the colours; a red and a blue heart differ by more than 1."""
_CROP = 0.042
_ALIKE = 0.15
"""The largest distance at first look (`tangent.distances`) that is worth a fit."""
_LOOKS = 4
"""Fits per image, with its nearest."""
FEW = 256
"""Images that are all compared with each other: their median says too little for hashes."""
_BLOCK = 200_000


@dataclass(frozen=True)
class NearPairs:
    """`pairs` (N, 2) of indices; per pair what remained, whether one is mirrored, and how one came from the other."""

    pairs: Pairs
    rest: Floats
    mirrored: npt.NDArray[np.bool_]
    zoom: Floats
    """The larger of the stretches and shifts, as a share of the side: above 0.01 one is a crop."""
    gain: Floats


def near_copies(
    gray: npt.NDArray[np.uint8], colour: npt.NDArray[np.uint8], sides: npt.NDArray[np.int64]
) -> NearPairs:
    """Of thumbnails (N, SIDE, SIDE) and (N, COLOUR_SIDE, COLOUR_SIDE, 3), and the shorter sides of the images.

    Blank ones are no one's copies.
    """
    textured = np.flatnonzero(gray.reshape(len(gray), SIDE * SIDE).std(axis=1) >= 2.0)
    waves = spectra(gray[textured])
    found = _best(_fitted(waves, _candidates(waves, gray[textured])))
    kept = _near_enough(found, sides[textured]) & _same_colours(found, colour[textured])
    return _taken(_named(found, textured), kept)


@dataclass(frozen=True)
class _View:
    """How an image is turned before its hash is asked for."""

    crop: float = 0.0
    corner: tuple[int, int] = (0, 0)
    mirror: bool = False


def _views() -> list[_View]:
    corners = [(0, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)]
    return [_View(), _View(mirror=True), *(_View(_CROP, corner) for corner in corners)]


@dataclass(frozen=True)
class _Candidates:
    """Pairs worth a fit: which image is turned to which view and laid on which, and how far the first look puts them
    apart."""

    pairs: Pairs
    view: npt.NDArray[np.int64]
    distance: Floats


def _candidates(waves: Floats, gray: npt.NDArray[np.uint8]) -> _Candidates:
    """Of all views; each pair once as it is and once mirrored, under the view that brings it nearest."""
    plain = shares(waves)
    middle = np.median(plain, axis=0) if len(plain) else plain[:0].sum(axis=0)
    stored = hashes(plain, middle)
    plane = planes(waves, gray)
    parts = []
    for number, view in enumerate(_views()):
        turned = _cropped(mirrored(waves) if view.mirror else waves, view)
        queries = hashes(shares(turned), middle) if number else stored
        pairs = _asked(queries, stored, view)
        distance = distances(coarse(turned), plane, pairs)
        near = distance < _ALIKE
        parts.append(_Candidates(pairs[near], np.full(int(near.sum()), number), distance[near]))
    return _nearest(parts, len(waves))


def _asked(queries: Hashes, stored: Hashes, view: _View) -> Pairs:
    if len(stored) <= FEW:
        pairs = np.argwhere(~np.eye(len(stored), dtype=bool)).astype(np.int32)
    else:
        pairs = near_pairs(queries, stored, RADIUS if not view.crop else RADIUS - 2)
    return pairs if view.crop else pairs[pairs[:, 0] < pairs[:, 1]]


def _nearest(parts: list[_Candidates], number: int) -> _Candidates:
    """Of each image the few nearest: it bounds the work where thousands look alike."""
    pairs = np.concatenate([part.pairs for part in parts])
    view = np.concatenate([part.view for part in parts])
    distance = np.concatenate([part.distance for part in parts])
    low, high = pairs.min(axis=1, initial=2**31 - 1), pairs.max(axis=1, initial=0)
    mirror = np.array([view.mirror for view in _views()])[view]
    key = (low.astype(np.int64) * max(number, 1) + high) * 2 + mirror
    order = np.lexsort((distance, key))
    order = order[np.diff(key[order], prepend=-1) > 0]
    kept = np.zeros(len(order), bool)
    for ends in (low[order], high[order]):
        kept |= _rank(ends, distance[order]) < _LOOKS
    chosen = order[kept]
    return _Candidates(pairs[chosen], view[chosen], distance[chosen])


def _rank(names: npt.NDArray[np.int32], distance: Floats) -> npt.NDArray[np.int64]:
    """How many with the same name are nearer."""
    order = np.lexsort((distance, names))
    ordered = names[order]
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names)) - np.searchsorted(ordered, ordered)
    return rank


def _cropped(waves: Floats, view: _View) -> Floats:
    """The spectra of what a crop leaves: the same waves, looked at in other places."""
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


def _fitted(waves: Floats, candidates: _Candidates) -> NearPairs:
    parts = []
    for number, view in enumerate(_views()):
        turned = mirrored(waves) if view.mirror else waves
        pairs = candidates.pairs[candidates.view == number]
        for begin in range(0, len(pairs), _BLOCK):
            first, second = pairs[begin : begin + _BLOCK].T
            stretch = np.full((len(first), 2), -view.crop, np.float32)
            shift = np.tile(np.array(view.corner, np.float32) * np.float32(view.crop), (len(first), 1))
            ahead = fit(turned[first], waves[second], stretch, shift)
            both = _either_way(ahead, turned, waves, first, second)
            parts.append(_told(pairs[begin : begin + _BLOCK], both, view))
    return _concatenated(parts)


def _either_way(ahead: Fit, turned: Floats, waves: Floats, first: Pairs, second: Pairs) -> Fit:
    """The better of two directions, where the first was not clear: what ran into white cannot be made dark again."""
    unclear = np.flatnonzero((ahead.rest > CERTAIN / 2) & (ahead.rest < 0.4))
    back = fit(waves[second[unclear]], turned[first[unclear]], -ahead.stretch[unclear], -ahead.shift[unclear])
    better = unclear[back.rest < ahead.rest[unclear]]
    rows = back.rest < ahead.rest[unclear]
    ahead.rest[better] = back.rest[rows]
    ahead.stretch[better] = -back.stretch[rows]
    ahead.shift[better] = -back.shift[rows]
    ahead.gain[better] = 1 / np.maximum(back.gain[rows], 0.1)
    return ahead


def _told(pairs: Pairs, fitted: Fit, view: _View) -> NearPairs:
    zoom = np.maximum(np.abs(fitted.stretch), np.abs(fitted.shift)).max(axis=1, initial=0)
    return NearPairs(pairs, fitted.rest, np.full(len(pairs), view.mirror), zoom, fitted.gain)


def _concatenated(parts: list[NearPairs]) -> NearPairs:
    if not parts:
        none = np.empty(0, np.float32)
        return NearPairs(np.empty((0, 2), np.int32), none, np.empty(0, bool), none, none)
    return NearPairs(
        np.concatenate([part.pairs for part in parts]),
        np.concatenate([part.rest for part in parts]),
        np.concatenate([part.mirrored for part in parts]),
        np.concatenate([part.zoom for part in parts]),
        np.concatenate([part.gain for part in parts]),
    )


def _taken(found: NearPairs, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> NearPairs:
    return NearPairs(
        found.pairs[chosen],
        found.rest[chosen],
        found.mirrored[chosen],
        found.zoom[chosen],
        found.gain[chosen],
    )


def _named(found: NearPairs, names: npt.NDArray[np.int64]) -> NearPairs:
    """The same with the indices that the caller knows the images by."""
    pairs = names[found.pairs].astype(np.int32)
    return NearPairs(pairs, found.rest, found.mirrored, found.zoom, found.gain)


def _best(found: NearPairs) -> NearPairs:
    """Of the views that found a pair, the one that fits best; the lower index first."""
    low, high = found.pairs.min(axis=1, initial=2**31 - 1), found.pairs.max(axis=1, initial=0)
    order = np.lexsort((found.mirrored, found.rest, high, low))
    low, high = low[order], high[order]
    first = np.ones(len(order), bool)
    first[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    best = _taken(found, order[first])
    return NearPairs(
        np.stack([low[first], high[first]], axis=1), best.rest, best.mirrored, best.zoom, best.gain
    )


def _near_enough(found: NearPairs, sides: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Certain pairs, and likely ones that are far nearer than either image is to its look-alikes."""
    moved = (found.zoom >= _MOVED) | found.mirrored | (np.abs(found.gain - 1) >= _BRIGHTER)
    small = sides[found.pairs].max(axis=1, initial=0) < SMALL
    most = np.where(small, np.where(moved, LIKELY_SMALL_MOVED, LIKELY_SMALL), LIKELY)
    apart = _apart(found) < np.where(moved, STANDS_OUT_MOVED, STANDS_OUT)
    certain = found.rest < np.where(small, CERTAIN_SMALL, CERTAIN)
    enough: npt.NDArray[np.bool_] = (certain | ((found.rest < most) & apart)) & (found.zoom < FAR)
    return enough


def _apart(found: NearPairs) -> Floats:
    """What remains of a pair as a share of what remains with the RIVAL-th best partner of either image."""
    number = int(found.pairs.max(initial=-1)) + 1
    rival = np.full(number, np.inf, np.float32)
    ends = np.concatenate([found.pairs[:, 0], found.pairs[:, 1]])
    rest = np.concatenate([found.rest, found.rest])
    order = np.lexsort((rest, ends))
    starts = np.searchsorted(ends[order], np.arange(number + 1))
    crowded = np.flatnonzero(np.diff(starts) >= RIVAL)
    rival[crowded] = rest[order][starts[crowded] + RIVAL - 1]
    nearest = rival[found.pairs].min(axis=1, initial=np.inf)
    apart: Floats = found.rest / np.maximum(nearest, 1e-6)
    return apart


def _same_colours(found: NearPairs, colour: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Whether the colours, less their gray, agree but for their strength; of the mirror image where one is."""
    agree = np.ones(len(found.pairs), bool)
    for begin in range(0, len(agree), _BLOCK):
        part = slice(begin, begin + _BLOCK)
        first = colour[found.pairs[part, 0]].astype(np.float32)
        first[found.mirrored[part]] = first[found.mirrored[part], :, ::-1]
        second = colour[found.pairs[part, 1]].astype(np.float32)
        one, other = (image - image.mean(axis=3, keepdims=True) for image in (first, second))
        ratio = ((one * other).sum(axis=(1, 2, 3)) + 9) / ((one**2).sum(axis=(1, 2, 3)) + 9)
        paler = np.clip(ratio, 0.5, 2.0)[:, None, None, None]
        left = ((paler * one - other) ** 2).mean(axis=(1, 2, 3))
        there = np.maximum((one**2).mean(axis=(1, 2, 3)), (other**2).mean(axis=(1, 2, 3)))
        agree[part] = np.sqrt(left / (there + 9.0)) < COLOUR
    return agree
