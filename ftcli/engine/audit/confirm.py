"""Whether two images that look alike to a hash are one picture: laid on each other as well as they can be.

One is shifted, stretched by a few percent, and changed in brightness and contrast until it fits the other best
(Gauss-Newton on six numbers); what then remains between them is noise for a copy, and shape for another picture of
the same kind of thing. A crop is a stretch. All pairs are fitted at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ftcli.engine.audit.fingerprint import SIDE
from ftcli.engine.audit.spectrum import Floats, waves_at

GRID = 18
"""Points per side at which two images are compared."""
ROUNDS, COARSE_ROUNDS = 7, 3
COARSE = 9
"""Waves that the first rounds look at: they say where to go when fine detail would lead astray."""
_MOST = 0.13
"""The largest shift and stretch, as a share of half the side: a crop of a few percent, not another framing."""
_HOPELESS = (0.5, 0.45, 0.4)
"""What remains after each coarse round when two images have no more in common than their kind."""
SHAPE = 7
"""Waves per direction by which the verdict is given."""
_NOISE = 900.0
"""The power of an image with a contrast of one gray level: nothing is told apart below it."""
_BLOCK = 2048


@dataclass(frozen=True)
class Fit:
    """Per pair: `rest` is what remains, 0 for the same picture and 1 for two without anything in common; `stretch`
    and `shift` are (N, 2), rows before columns; `gain` and `offset` take the first image's values to the second's.
    """

    rest: Floats
    stretch: Floats
    shift: Floats
    gain: Floats
    offset: Floats


def fit(first: Floats, second: Floats, stretch: Floats | None = None, shift: Floats | None = None) -> Fit:
    """(N, WAVES, WAVES) each; the first is moved. `stretch` and `shift`, (N, 2), say where to begin."""
    number = len(first)
    unknown = np.zeros((number, 6), np.float32)
    if stretch is not None and shift is not None:
        unknown[:, 2:4], unknown[:, 4:6] = stretch, shift
    rest = np.ones(number, np.float32)
    for begin in range(0, number, _BLOCK):
        part = slice(begin, begin + _BLOCK)
        unknown[part], rest[part] = _fit(first[part], second[part], unknown[part])
    return Fit(rest, unknown[:, 2:4], unknown[:, 4:6], unknown[:, 0], unknown[:, 1])


def _fit(first: Floats, second: Floats, unknown: Floats) -> tuple[Floats, Floats]:
    rest = np.ones(len(first), np.float32)
    goal, coarse = _shown(second, second.shape[1]), _shown(second, COARSE)
    unknown[:, 0] = _first_gain(first, goal, unknown)
    live = np.arange(len(first))
    for step in range(ROUNDS):
        waves, aim = (COARSE, coarse) if step < COARSE_ROUNDS else (first.shape[1], goal)
        unknown[live], rest[live] = _step(first[live, :waves, :waves], aim[live], unknown[live])
        if step < COARSE_ROUNDS:
            live = live[rest[live] < _HOPELESS[step]]
        if not len(live):
            return unknown, rest
    rest[live] = _rest(first[live], goal[live], unknown[live])
    return unknown, rest


def _shown(waves: Floats, number: int) -> Floats:
    """The image at the points of the grid, of its coarsest waves."""
    basis, _ = waves_at(_grid(), number)
    shown: Floats = np.asarray(basis @ waves[:, :number, :number] @ basis.T, np.float32)
    return shown


def _first_gain(first: Floats, goal: Floats, unknown: Floats) -> Floats:
    """How much brighter the second is where neither is black or white: a white background hides the change."""
    warped, *_ = _warped(first[:, :COARSE, :COARSE], unknown)
    grays = ((goal > 12) & (goal < 240) & (warped > 12) & (warped < 240)).astype(np.float32)
    ratio = ((grays * goal).sum((1, 2)) + 255) / ((grays * warped).sum((1, 2)) + 255)
    gain: Floats = np.clip(ratio, 0.6, 1.7)
    return gain


def _grid() -> Floats:
    """Points between the borders, in pixels."""
    return np.linspace(0, SIDE - 1, GRID).astype(np.float32)


def _step(first: Floats, goal: Floats, unknown: Floats) -> tuple[Floats, Floats]:
    """The numbers after one step, and what a straight line says will remain."""
    warped, slope_y, slope_x, weight = _warped(first, unknown)
    gain = unknown[:, 0, None, None]
    unit = _unit()
    columns = [
        warped,
        np.ones_like(warped),
        gain * slope_y * unit[:, None],
        gain * slope_x * unit,
        gain * slope_y,
        gain * slope_x,
    ]
    jacobian = np.stack([column.reshape(len(goal), -1) for column in columns], axis=2)
    reach = weight
    weight = reach * _unclipped(gain * warped + unknown[:, 1, None, None], goal)
    wanted = (goal - gain * warped - unknown[:, 1, None, None]).reshape(len(goal), -1)
    weighted = jacobian * weight.reshape(len(goal), -1, 1)
    normal = weighted.transpose(0, 2, 1) @ jacobian
    right = (weighted.transpose(0, 2, 1) @ wanted[:, :, None])[:, :, 0]
    ridge = 1e-3 * np.einsum("nii->ni", normal) + 1e-3
    change = np.linalg.solve(normal + ridge[:, :, None] * np.eye(6, dtype=np.float32), right[:, :, None])[
        ..., 0
    ]
    left = wanted - (jacobian @ change[:, :, None])[:, :, 0]
    moved = unknown + change
    moved[:, 2:] = np.clip(moved[:, 2:], -_MOST, _MOST)
    return moved.astype(np.float32), _share(left.reshape(goal.shape), goal, weight, reach)


def _rest(first: Floats, goal: Floats, unknown: Floats) -> Floats:
    """Of the SHAPE coarsest waves: what another size or a compressor does to an image is finer than these."""
    warped, _, _, weight = _warped(first, unknown)
    made = unknown[:, 0, None, None] * warped + unknown[:, 1, None, None]
    shown = np.clip(goal, 0, 255)
    inverse = _to_waves()
    left = inverse @ (weight * (shown - np.clip(made, 0, 255))) @ inverse.T
    there = inverse @ (weight * shown) @ inverse.T
    there[:, 0, 0] = 0
    share: Floats = np.sqrt((left**2).sum((1, 2)) / ((there**2).sum((1, 2)) + _NOISE)).astype(np.float32)
    return share


def _to_waves() -> Floats:
    basis, _ = waves_at(_grid(), SHAPE)
    inverse: Floats = np.linalg.pinv(basis).astype(np.float32)
    return inverse


def _share(left: Floats, goal: Floats, weight: Floats, reach: Floats) -> Floats:
    """The root of the part of the goal's variance that is left. Clipped points count for the shape alone."""
    total = reach.sum((1, 2))
    mean = (reach * goal).sum((1, 2)) / total
    variance = (reach * (goal - mean[:, None, None]) ** 2).sum((1, 2)) / total
    missing = (weight * left**2).sum((1, 2)) / total
    share: Floats = np.sqrt(missing / (variance + 1.0)).astype(np.float32)
    return share


def _unclipped(made: Floats, goal: Floats) -> Floats:
    """0 where a brightened copy has run into white, or a darkened one into black: such points tell nothing of gain."""
    white = (goal > 240) & (made > 225)
    black = (goal < 10) & (made < 5)
    return np.where(white | black, np.float32(0.05), np.float32(1))


def _unit() -> Floats:
    """The grid from -1 at one border to 1 at the other."""
    unit: Floats = ((_grid() - (SIDE - 1) / 2) / (SIDE / 2)).astype(np.float32)
    return unit


def _warped(first: Floats, unknown: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """The first image at the stretched and shifted points, its slopes there per half a side, and 1 where it reaches."""
    places = _unit() * (1 + unknown[:, 2:4, None]) + unknown[:, 4:6, None]
    pixels = (places * (SIDE / 2) + (SIDE - 1) / 2).astype(np.float32)
    waves_y, speed_y = waves_at(pixels[:, 0], first.shape[1])
    waves_x, speed_x = waves_at(pixels[:, 1], first.shape[1])
    inside = ((pixels > -0.6) & (pixels < SIDE - 0.4)).astype(np.float32)
    across = first @ waves_x.transpose(0, 2, 1)
    warped = waves_y @ across
    slope_y = speed_y @ across * np.float32(SIDE / 2)
    slope_x = waves_y @ (first @ speed_x.transpose(0, 2, 1)) * np.float32(SIDE / 2)
    return warped, slope_y, slope_x, inside[:, 0, :, None] * inside[:, 1, None, :]
