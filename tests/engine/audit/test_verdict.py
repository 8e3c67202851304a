"""A last look tells a copy from a look-alike by its frame, its shape and its fine detail."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ftcli.engine.audit.confirm import Fit
from ftcli.engine.audit.fingerprint import fingerprint
from ftcli.engine.audit.search import DETAIL
from ftcli.engine.audit.verdict import Verdict, inverse, judge, outward


def picture(seed: int = 0, side: int = 96) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(20, 236, (12, 12, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)


def fitted(stretch: float = 0.0, shift: float = 0.0) -> Fit:
    none, one = np.zeros(1, np.float32), np.ones(1, np.float32)
    both = np.ones((1, 2), np.float32)
    return Fit(none, stretch * both, shift * both, one, none)


def verdict(first: Image.Image, second: Image.Image, start: Fit | None = None) -> Verdict:
    one, other = (fingerprint(image).gray[None].astype(np.float32) for image in (first, second))
    return judge(one, other, start or fitted(), np.array([min(*first.size, *second.size)]))


def test_a_crop_is_laid_where_it_was_cut() -> None:
    whole = picture()
    found = verdict(whole, whole.crop((0, 0, 90, 90)), fitted(-0.04, -0.04))
    assert found.zoom[0] == pytest.approx(6 / 96, abs=0.006)
    assert found.beyond[0] < 0.006
    assert found.uneven[0] < 0.006
    assert found.shape[0] < 0.04
    assert found.detail[0] > 0.97


def test_another_part_of_the_scene_reaches_beyond() -> None:
    whole = picture()
    found = verdict(whole.crop((0, 0, 90, 90)), whole.crop((3, 3, 93, 93)), fitted(0, 0.05))
    assert found.beyond[0] == pytest.approx(6 / 90, abs=0.01)


def test_one_outline_with_other_folds_has_other_detail() -> None:
    def shirt(seed: int) -> Image.Image:
        folds = np.random.default_rng(seed).normal(0, 30, (12, 12)).repeat(3, axis=0).repeat(3, axis=1)
        pixels = np.zeros((28, 28))
        pixels[3:25, 7:21] = 150 + folds[3:25, 7:21]
        return Image.fromarray(pixels.astype(np.uint8)).convert("RGB")

    assert verdict(shirt(1), shirt(1)).detail[0] > 0.97
    assert verdict(shirt(1), shirt(2)).detail[0] < DETAIL - 0.03


def test_noise_of_a_compressor_is_no_shape() -> None:
    """A small dark image: what the compressor leaves is a fifth of what there is."""
    dark = picture(4, 28).point(lambda value: 20 + value // 8).convert("L").convert("RGB")
    noisy = np.asarray(dark, np.int16) + np.random.default_rng(0).integers(-6, 7, (28, 28, 1))
    small = verdict(dark, Image.fromarray(noisy.astype(np.uint8)))
    assert small.shape[0] < 0.05
    other = verdict(picture(4, 28), picture(5, 28))
    assert other.shape[0] > 0.3


def test_a_straight_dress_is_not_moved_by_noise() -> None:
    """Stripes from top to bottom say nothing of their height."""
    stripes = np.zeros((14, 14, 3), np.uint8) + np.arange(40, 40 + 14 * 12, 12, dtype=np.uint8)[None, :, None]
    rng = np.random.default_rng(1)
    noisy = np.clip(stripes.astype(np.int16) + rng.integers(-4, 5, (14, 14, 1)), 0, 255).astype(np.uint8)
    found = verdict(Image.fromarray(stripes), Image.fromarray(noisy), fitted(-0.05, 0.05))
    assert found.zoom[0] < 0.03


def test_the_whole_is_laid_on_its_part() -> None:
    shrunk, grown = fitted(-0.04), fitted(0.04)
    assert outward(grown)[0]
    assert not outward(shrunk)[0]
    assert inverse(grown).stretch == pytest.approx(shrunk.stretch)
    assert inverse(inverse(shrunk)).shift == pytest.approx(shrunk.shift)


def test_no_pairs_no_verdict() -> None:
    none = np.empty((0, 32, 32), np.float32)
    empty = Fit(*(np.empty(shape, np.float32) for shape in [(0,), (0, 2), (0, 2), (0,), (0,)]))
    assert judge(none, none, empty, np.empty(0, np.int64)).shape.shape == (0,)
