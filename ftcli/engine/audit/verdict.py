"""The last look at a pair that a coarse fit found alike: all pixels of the thumbnails, and what a copy can differ in.

Three things tell a copy from another picture of the same kind. A copy shows a part of the other one's frame, never
more: a shirt that fits another one when it is stretched beyond it is another shirt. What remains between the two is
what a compressor leaves and not a shape. And the fine detail of the two goes together everywhere, in a faint fold as
along the outline: two shirts have one outline, but no folds in common.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ftcli.engine.audit.confirm import SHAPE, Fit
from ftcli.engine.audit.fingerprint import SIDE
from ftcli.engine.audit.spectrum import Floats, waves_at

_ROUNDS = 3
_SHARPEST = 0.8
"""Deviation in pixels of the blur under which images are laid on each other: resizing twice changes what is finer."""
_BORDER = 2
"""Pixels at the border of the part that tell nothing: making its thumbnail, no one knew what lay beyond them."""
_AROUND = 2.0
"""Deviation in pixels of the surroundings that detail stands out from."""
_FAINT = 6.0
"""Gray levels of detail that count for half of strong detail; fainter ones are a compressor's."""
_PLAIN = np.float32(0.25)
"""A part of the image whose detail is taken to go together: of a plain sky detail tells nothing."""
_QUANTUM = 12.0
"""Power that a compressor of a quality of 60 leaves in a coarse wave: a step of 12 levels, 12 squared over 12."""
_UNUSUAL = 1 + 2 * (2 / SHAPE**2) ** 0.5
"""Noise in as many waves comes to this many times its mean in one of forty images: two deviations above it."""
_USUAL = 0.03
"""Deviation of the stretch and shift of copies, as a share of half the side."""
_CONTRAST = 900.0
"""The power of an image with a contrast of one gray level: nothing is told apart below it."""
_MOST = 0.13
_BLOCK = 512


@dataclass(frozen=True)
class Verdict:
    """Per pair (N,): `shape` is what remains beyond a compressor's noise, as a share of what is there; `detail` how
    well the fine detail of the two goes together, 1 for a copy; `beyond` how far the second's frame reaches beyond
    the first's, `uneven` how much more is cut along one side than along the other, and `zoom` the larger of stretches
    and shifts, each as a share of half the side.
    """

    shape: Floats
    detail: Floats
    beyond: Floats
    uneven: Floats
    zoom: Floats


def judge(first: Floats, second: Floats, fitted: Fit, sides: npt.NDArray[np.int64]) -> Verdict:
    """Of gray thumbnails (N, SIDE, SIDE); `fitted` says how the first comes to lie on the second, `sides` (N,) is the
    shorter side of the smaller image."""
    parts = [
        _judged(first[part], second[part], _unknown(fitted)[part], _noise(sides[part]))
        for part in (slice(begin, begin + _BLOCK) for begin in range(0, max(len(first), 1), _BLOCK))
    ]
    columns = np.concatenate(parts, axis=1)
    return Verdict(*columns)


def outward(fitted: Fit) -> npt.NDArray[np.bool_]:
    """Where the first is the part and the second the whole: such a pair is judged the other way round."""
    outside: npt.NDArray[np.bool_] = fitted.stretch.sum(axis=1) > 0
    return outside


def inverse(fitted: Fit) -> Fit:
    """How the second comes to lie on the first."""
    gain = (1 / np.maximum(fitted.gain, 0.1)).astype(np.float32)
    return Fit(
        fitted.rest, -fitted.stretch, -fitted.shift, gain, np.asarray(-fitted.offset * gain, np.float32)
    )


def _unknown(fitted: Fit) -> Floats:
    columns = [fitted.gain[:, None], fitted.offset[:, None], fitted.stretch, fitted.shift]
    found: Floats = np.concatenate(columns, axis=1).astype(np.float32)
    return found


def _judged(first: Floats, second: Floats, unknown: Floats, noise: Floats) -> Floats:
    unknown = _refined(first, second, unknown, noise)
    basis = _basis()
    waves = np.asarray(basis.T @ first @ basis, np.float32)
    warped, _, _, reach = _warped(waves, unknown)
    made = np.clip(unknown[:, 0, None, None] * warped + unknown[:, 1, None, None], 0, 255)
    stretch, shift = unknown[:, 2:4], unknown[:, 4:6]
    found: Floats = np.stack(
        [
            _shape(made, second, reach, noise),
            _detail(made, second, reach),
            np.maximum(np.abs(shift) + stretch, 0).max(axis=1),
            np.abs(stretch[:, 0] - stretch[:, 1]),
            np.maximum(np.abs(stretch), np.abs(shift)).max(axis=1),
        ]
    )
    return found


def _noise(sides: npt.NDArray[np.int64]) -> Floats:
    """The power of a compressor's noise per wave: it is of the image's own pixels and fades in a large one."""
    noise: Floats = (_QUANTUM * (SIDE / np.maximum(sides, 1)) ** 2).astype(np.float32)
    return noise


def _refined(first: Floats, second: Floats, unknown: Floats, noise: Floats) -> Floats:
    """Gauss-Newton on the six numbers of `confirm`, on every pixel and wave: a border cuts through coarse waves.

    Stretch and shift that noise may have brought about are held to be none: a straight dress fits higher as well.
    """
    blur, basis = _blur(_SHARPEST), _basis()
    waves = np.asarray(basis.T @ (blur @ first @ blur.T) @ basis, np.float32)
    goal = np.asarray(blur @ second @ blur.T, np.float32)
    for _ in range(_ROUNDS):
        unknown = _step(waves, goal, unknown, noise)
    return unknown


def _step(waves: Floats, goal: Floats, unknown: Floats, noise: Floats) -> Floats:
    warped, slope_y, slope_x, reach = _warped(waves, unknown)
    gain, offset, unit = unknown[:, 0, None, None], unknown[:, 1, None, None], _unit()
    slope_y, slope_x = gain * slope_y, gain * slope_x
    columns = [warped, np.ones_like(warped), slope_y * unit[:, None], slope_x * unit, slope_y, slope_x]
    jacobian = np.stack([column.reshape(len(goal), SIDE**2) for column in columns], axis=1)
    made = np.clip(gain * warped + offset, 0, 255)
    weighted = jacobian * reach.reshape(len(goal), 1, SIDE**2)
    power = (reach * (goal - made) ** 2).sum(axis=(1, 2)) / np.maximum(reach.sum(axis=(1, 2)), 1)
    prior = np.zeros((len(goal), 6), np.float32)
    prior[:, 2:] = (np.maximum(power, noise + 1) / _USUAL**2)[:, None]
    normal = weighted @ jacobian.transpose(0, 2, 1)
    right = weighted @ (goal - made).reshape(len(goal), SIDE**2, 1) - (prior * unknown)[:, :, None]
    ridge = 1e-4 * np.einsum("nii->ni", normal) + 1e-3 + prior
    change = np.linalg.solve(normal + ridge[:, :, None] * np.eye(6, dtype=np.float32), right)[..., 0]
    moved: Floats = (unknown + change).astype(np.float32)
    moved[:, 2:] = np.clip(moved[:, 2:], -_MOST, _MOST)
    return moved


def _warped(waves: Floats, unknown: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """As in `confirm`, at every pixel and of every wave, but for the border."""
    places = _unit() * (1 + unknown[:, 2:4, None]) + unknown[:, 4:6, None]
    pixels = places * (SIDE / 2) + (SIDE - 1) / 2
    inside = ((pixels > -0.6) & (pixels < SIDE - 0.4)).astype(np.float32)
    inside[:, :, :_BORDER] = inside[:, :, -_BORDER:] = 0
    pixels = np.clip(pixels, -0.5, SIDE - 0.5).astype(np.float32)
    waves_y, speed_y = waves_at(pixels[:, 0], SIDE)
    waves_x, speed_x = waves_at(pixels[:, 1], SIDE)
    across = waves @ waves_x.transpose(0, 2, 1)
    slope_y = speed_y @ across * np.float32(SIDE / 2)
    slope_x = waves_y @ (waves @ speed_x.transpose(0, 2, 1)) * np.float32(SIDE / 2)
    return waves_y @ across, slope_y, slope_x, inside[:, 0, :, None] * inside[:, 1, None, :]


def _shape(made: Floats, goal: Floats, reach: Floats, noise: Floats) -> Floats:
    """Of the SHAPE coarsest waves, beyond the noise in these."""
    mean = (reach * goal).sum(axis=(1, 2)) / np.maximum(reach.sum(axis=(1, 2)), 1)
    basis = _basis()[:, :SHAPE]
    left = basis.T @ (reach * (goal - made)) @ basis
    there = basis.T @ (reach * (goal - mean[:, None, None])) @ basis
    beyond = np.maximum((left**2).sum(axis=(1, 2)) - _UNUSUAL * noise * SHAPE**2 - _CONTRAST, 0)
    share: Floats = np.sqrt(beyond / ((there**2).sum(axis=(1, 2)) + _CONTRAST)).astype(np.float32)
    return share


def _detail(made: Floats, goal: Floats, reach: Floats) -> Floats:
    """The correlation of detail around each pixel, averaged with the weight of how distinct the detail is."""
    around, sharpest = _blur(_AROUND, whole=False), _blur(_SHARPEST)
    covered = around @ reach @ around.T + np.float32(1e-3)

    def near(image: Floats) -> Floats:
        return np.asarray((around @ (reach * image) @ around.T) / covered, np.float32)

    def standing_out(image: Floats) -> Floats:
        sharp = np.asarray(sharpest @ image @ sharpest.T, np.float32)
        return np.asarray(sharp - near(sharp), np.float32)

    one, other = standing_out(made), standing_out(goal)
    power = np.sqrt(near(one**2) * near(other**2))
    weight = reach * power / (power + _FAINT**2)
    together = weight * near(one * other) / (power + 1)
    plain = _PLAIN * reach.sum(axis=(1, 2)) + np.float32(1e-3)
    found: Floats = (together.sum(axis=(1, 2)) + plain) / (weight.sum(axis=(1, 2)) + plain)
    return found


def _basis() -> Floats:
    return waves_at(np.arange(SIDE, dtype=np.float32), SIDE)[0]


def _unit() -> Floats:
    unit: Floats = ((np.arange(SIDE) - (SIDE - 1) / 2) / (SIDE / 2)).astype(np.float32)
    return unit


def _blur(deviation: float, whole: bool = True) -> Floats:
    """(SIDE, SIDE); `whole` where each row adds up to 1, at a border too."""
    places = np.arange(SIDE)
    found = np.exp(-((places[:, None] - places) ** 2) / (2 * deviation**2))
    blur: Floats = (found / found.sum(axis=1, keepdims=True) if whole else found).astype(np.float32)
    return blur
