"""Near copies among many thumbnails: candidates by hash (`candidates`), brought to one light and size (`level`), laid
on each other (`confirm`), and those that stand out from their look-alikes judged by every pixel (`verdict`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ftcli.engine.audit.candidates import Candidates, View, candidates, views
from ftcli.engine.audit.confirm import Fit, fit
from ftcli.engine.audit.fingerprint import COLOUR_SIDE, SIDE
from ftcli.engine.audit.level import light, one_light, one_size
from ftcli.engine.audit.neighbours import Pairs
from ftcli.engine.audit.spectrum import Floats, spectra
from ftcli.engine.audit.verdict import Verdict, inverse, judge, outward

LOST = 0.3
"""What remains (`Fit.rest`) where a fit went astray, or began at the wrong one of two images."""
PROMISING = 0.25
"""What may remain between two images that a last look is worth."""
RIVAL = 3
"""A pair stands out from the look-alikes of both: what remains is compared with what their RIVAL-th best leaves."""
STANDS_OUT = 0.9
"""The largest share of that which a last look is worth."""
SHAPE = 0.08
"""What may remain of the coarse shape beyond noise (`Verdict.shape`) where there are no look-alikes; less, as they
come near: a thousand trousers are so alike that two of them differ by no more than a poor copy."""
NEARER = 2.0
"""A copy is more than this many times nearer than the look-alikes."""
DETAIL = 0.9
"""How well fine detail goes together at least (`Verdict.detail`)."""
BEYOND = 0.2
"""Pixels that the part may reach beyond the whole: the error of a fit."""
UNEVEN = 0.5
"""A crop takes about as much from the height as from the width: this many pixels in difference on either side."""
FAINT = 16.0
"""The contrast in gray levels below which a fit finds the place less well."""
FAR = 0.115
"""A stretch or shift that is another framing, no crop of a few percent: what fits then is another drawing."""
COLOUR = 0.5
"""What may remain between the colours; a red and a blue heart differ by more than 1."""
_BLOCK = 2048


@dataclass(frozen=True)
class NearPairs:
    """`pairs` (N, 2) of indices; per pair what remained, whether one is mirrored, and how one came from the other."""

    pairs: Pairs
    rest: Floats
    mirrored: npt.NDArray[np.bool_]
    zoom: Floats
    """The larger of the stretches and shifts, as a share of the side: above 0.01 one is a crop."""
    gain: Floats
    """How many times brighter the second is."""


@dataclass(frozen=True)
class _Images:
    gray: npt.NDArray[np.uint8]
    colour: npt.NDArray[np.uint8]
    sides: npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Fitted:
    """Pairs (N, 2) of which the first, mirrored or not, was laid on the second."""

    pairs: Pairs
    mirrored: npt.NDArray[np.bool_]
    fit: Fit


def near_copies(
    gray: npt.NDArray[np.uint8], colour: npt.NDArray[np.uint8], sides: npt.NDArray[np.int64]
) -> NearPairs:
    """Of thumbnails (N, SIDE, SIDE) and (N, COLOUR_SIDE, COLOUR_SIDE, 3), and the shorter sides of the images.

    Blank ones are no one's copies.
    """
    textured = np.flatnonzero(gray.reshape(len(gray), SIDE * SIDE).std(axis=1) >= 2.0)
    images = _Images(gray[textured], colour[textured], sides[textured])
    fitted = _best(_laid(images, candidates(images.gray, images.colour)))
    apart = _apart(fitted)
    worth = (fitted.fit.rest < PROMISING) & (apart < STANDS_OUT)
    fitted, apart = _chosen(fitted, worth), apart[worth]
    alike = _same_colours(fitted, images.colour)
    fitted, apart = _chosen(fitted, alike), apart[alike]
    verdict = _judged(images, fitted)
    rival = fitted.fit.rest / np.maximum(apart, 1e-6)
    kept = _is_part(verdict, _pixel(images, fitted.pairs)) & (verdict.detail > DETAIL)
    kept &= verdict.shape < SHAPE * (1 - NEARER * verdict.shape / np.maximum(rival, 1e-6))
    return _told(_chosen(fitted, kept), verdict.zoom[kept], images, textured)


def _levelled(images: _Images, pairs: Pairs, mirror: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """(N, SIDE, SIDE) each: the first mirrored where it is, and both in one light and one size."""
    first, second = pairs.T
    gray, colour = images.gray[first].astype(np.float32), images.colour[first]
    gray[mirror] = gray[mirror, :, ::-1]
    colour[mirror] = colour[mirror, :, ::-1]
    other = images.gray[second].astype(np.float32)
    levelled = one_light((gray, other), (colour, images.colour[second]))
    return one_size(levelled, (images.sides[first], images.sides[second]))


def _laid(images: _Images, found: Candidates) -> _Fitted:
    parts = []
    for number, view in enumerate(views()):
        pairs = found.pairs[found.view == number]
        for begin in range(0, len(pairs), _BLOCK):
            parts.append(_laid_as(images, pairs[begin : begin + _BLOCK], view))
    none = np.empty((0, 2), np.float32)
    parts.append(
        _Fitted(none.astype(np.int32), none[:, 0] > 0, Fit(none[:, 0], none, none, none[:, 0], none[:, 0]))
    )
    return _Fitted(
        np.concatenate([part.pairs for part in parts]),
        np.concatenate([part.mirrored for part in parts]),
        Fit(
            *(np.concatenate(column) for column in zip(*(_columns(part.fit) for part in parts), strict=True))
        ),
    )


def _laid_as(images: _Images, pairs: Pairs, view: View) -> _Fitted:
    mirror = np.full(len(pairs), view.mirror)
    first, second = _levelled(images, pairs, mirror)
    stretch = np.full((len(pairs), 2), -view.crop, np.float32)
    shift = np.tile(np.array(view.corner, np.float32) * np.float32(view.crop), (len(pairs), 1))
    return _Fitted(pairs, mirror, _either_way(spectra(first), spectra(second), stretch, shift))


def _either_way(first: Floats, second: Floats, stretch: Floats, shift: Floats) -> Fit:
    """From the view's crop on; where that led astray the other way round: the second may be the whole."""
    ahead = fit(first, second, stretch, shift)
    lost = np.flatnonzero(ahead.rest > LOST)
    back = inverse(fit(second[lost], first[lost]))
    better = back.rest < ahead.rest[lost]
    for column, other in zip(_columns(ahead), _columns(back), strict=True):
        column[lost[better]] = other[better]
    return ahead


def _columns(fitted: Fit) -> tuple[Floats, ...]:
    return fitted.rest, fitted.stretch, fitted.shift, fitted.gain, fitted.offset


def _chosen(found: _Fitted, rows: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> _Fitted:
    fitted = Fit(*(column[rows] for column in _columns(found.fit)))
    return _Fitted(found.pairs[rows], found.mirrored[rows], fitted)


def _best(found: _Fitted) -> _Fitted:
    """Of the views that found a pair, the one that fits best; in the order of the pairs."""
    low, high = found.pairs.min(axis=1, initial=2**31 - 1), found.pairs.max(axis=1, initial=0)
    order = np.lexsort((found.mirrored, found.fit.rest, high, low))
    low, high = low[order], high[order]
    first = np.ones(len(order), bool)
    first[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    return _chosen(found, order[first])


def _apart(found: _Fitted) -> Floats:
    """What remains of a pair as a share of what remains with the RIVAL-th best partner of either image."""
    number = int(found.pairs.max(initial=-1)) + 1
    rival = np.full(number, np.inf, np.float32)
    ends = np.concatenate([found.pairs[:, 0], found.pairs[:, 1]])
    rest = np.concatenate([found.fit.rest, found.fit.rest])
    order = np.lexsort((rest, ends))
    starts = np.searchsorted(ends[order], np.arange(number + 1))
    crowded = np.flatnonzero(np.diff(starts) >= RIVAL)
    rival[crowded] = rest[order][starts[crowded] + RIVAL - 1]
    nearest = rival[found.pairs].min(axis=1, initial=np.inf)
    apart: Floats = found.fit.rest / np.maximum(nearest, 1e-6)
    return apart


def _judged(images: _Images, found: _Fitted) -> Verdict:
    """The whole is laid on its part: never the other way round, where it would have to be made up."""
    first, second = _levelled(images, found.pairs, found.mirrored)
    turned = outward(found.fit)
    first[turned], second[turned] = second[turned], first[turned]
    ahead, back = _columns(found.fit), _columns(inverse(found.fit))
    columns = (
        np.where(turned if one.ndim == 1 else turned[:, None], other, one)
        for one, other in zip(ahead, back, strict=True)
    )
    return judge(first, second, Fit(*columns), images.sides[found.pairs].min(axis=1, initial=2**31))


def _pixel(images: _Images, pairs: Pairs) -> Floats:
    """What a fit takes for a pixel, as a share of half the side: of the thumbnail, of an image that has fewer, and
    more where there is so little contrast that it hardly tells a place."""
    contrast = images.gray.reshape(len(images.gray), SIDE**2).std(axis=1)[pairs].min(axis=1, initial=FAINT)
    pixel: Floats = 2 / images.sides[pairs].min(axis=1, initial=SIDE) * (FAINT / np.maximum(contrast, 1))
    return pixel


def _is_part(verdict: Verdict, pixel: Floats) -> npt.NDArray[np.bool_]:
    """Whether one shows a part of the other, as far as a fit tells."""
    part: npt.NDArray[np.bool_] = (verdict.beyond < BEYOND * pixel) & (verdict.uneven < UNEVEN * pixel)
    return part & (verdict.zoom < FAR)


def _told(found: _Fitted, zoom: Floats, images: _Images, names: npt.NDArray[np.int64]) -> NearPairs:
    """By the indices that the caller knows the images by, the lower one first."""
    first = images.colour[found.pairs[:, 0]]
    first[found.mirrored] = first[found.mirrored, :, ::-1]
    gain = found.fit.gain * light(first, images.colour[found.pairs[:, 1]])
    gain = np.where(found.pairs[:, 0] < found.pairs[:, 1], gain, 1 / np.maximum(gain, 0.1)).astype(np.float32)
    pairs = np.sort(names[found.pairs], axis=1).astype(np.int32)
    return NearPairs(pairs, found.fit.rest, found.mirrored, zoom, gain)


def _same_colours(found: _Fitted, colour: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Whether the colours, less their gray, agree but for their strength, where the one image lies on the other."""
    agree = np.ones(len(found.pairs), bool)
    for begin in range(0, len(agree), _BLOCK):
        part = slice(begin, begin + _BLOCK)
        first, second = (colour[side] for side in found.pairs[part].T)
        first[found.mirrored[part]] = first[found.mirrored[part], :, ::-1]
        times = light(first, second)[:, None, None, None]
        first, second = (
            np.minimum(i * np.maximum(t, 1), 255) for i, t in ((first, times), (second, 1 / times))
        )
        first = _moved(first, found.fit.stretch[part], found.fit.shift[part])
        first, second = _coarser(first), _coarser(second)
        one, other = (image - image.mean(axis=3, keepdims=True) for image in (first, second))
        ratio = ((one * other).sum(axis=(1, 2, 3)) + 9) / ((one**2).sum(axis=(1, 2, 3)) + 9)
        paler = np.clip(ratio, 0.5, 2.0)[:, None, None, None]
        left = ((paler * one - other) ** 2).mean(axis=(1, 2, 3))
        there = np.maximum((one**2).mean(axis=(1, 2, 3)), (other**2).mean(axis=(1, 2, 3)))
        agree[part] = np.sqrt(left / (there + 9.0)) < COLOUR
    return agree


def _moved(colour: Floats, stretch: Floats, shift: Floats) -> Floats:
    """(N, COLOUR_SIDE, COLOUR_SIDE, 3) stretched and shifted, between pixels in a straight line."""
    pixels = np.arange(COLOUR_SIDE, dtype=np.float32)
    middle = np.float32((COLOUR_SIDE - 1) / 2)
    places = (pixels - middle)[:, None] * (1 + stretch[:, None]) + shift[:, None] * (COLOUR_SIDE / 2) + middle
    places = np.clip(places, 0, COLOUR_SIDE - 1)
    weights = np.maximum(1 - np.abs(places.transpose(0, 2, 1)[..., None] - pixels), 0).astype(np.float32)
    rows, columns = weights[:, 0], weights[:, 1]
    moved = rows[:, None] @ colour.transpose(0, 3, 1, 2) @ columns[:, None].transpose(0, 1, 3, 2)
    found: Floats = moved.transpose(0, 2, 3, 1)
    return found


def _coarser(colour: Floats) -> Floats:
    """(N, S, S, 3) -> (N, S / 2, S / 2, 3): compressors keep colours no finer."""
    number, side = colour.shape[:2]
    coarser: Floats = colour.reshape(number, side // 2, 2, side // 2, 2, 3).mean(axis=(2, 4))
    return coarser
