"""What a change of light or size took from a copy is taken from its original too."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from ftcli.engine.audit.fingerprint import Fingerprint, fingerprint, gray_of
from ftcli.engine.audit.level import light, one_light, one_size


def coloured(side: int = 64) -> Image.Image:
    pixels = np.random.default_rng(2).integers(60, 250, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)


def grays(*prints: Fingerprint) -> list[np.ndarray]:
    return [found.gray[None].astype(np.float32) for found in prints]


def apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(np.mean((one - other) ** 2)))


@pytest.mark.parametrize("times", [0.8, 1.2, 1.4])
def test_the_light_is_told_by_what_was_not_cut_off(times: float) -> None:
    one, other = fingerprint(coloured()), fingerprint(ImageEnhance.Brightness(coloured()).enhance(times))
    assert light(one.colour[None], other.colour[None])[0] == pytest.approx(times, abs=0.03)


def test_a_little_more_light_counts_for_none() -> None:
    one, other = fingerprint(coloured()), fingerprint(ImageEnhance.Brightness(coloured()).enhance(1.04))
    assert light(one.colour[None], other.colour[None])[0] == 1


def test_the_original_is_whitened_as_its_copy_was() -> None:
    one, other = fingerprint(coloured()), fingerprint(ImageEnhance.Brightness(coloured()).enhance(1.4))
    for first, second in ((one, other), (other, one)):
        before = grays(first, second)
        after = one_light((before[0], before[1]), (first.colour[None], second.colour[None]))
        assert apart(*after) < apart(*before) / 8
        whites = [gray.max() for gray in after]
        assert whites[0] == pytest.approx(whites[1], abs=4)


def test_the_original_loses_the_detail_that_its_half_lost() -> None:
    rng = np.random.default_rng(5)
    fine = Image.fromarray(rng.integers(0, 256, (28, 28, 3), dtype=np.uint8))
    one, other = fingerprint(fine), fingerprint(fine.resize((14, 14), Image.Resampling.LANCZOS))
    before = grays(one, other)
    sides = np.array([28]), np.array([14])
    assert apart(*one_size((before[0], before[1]), sides)) < apart(*before) / 2
    kept = one_size((before[1], before[0]), sides[::-1])
    assert np.array_equal(kept[0], before[1]), "the smaller one stays as it is"


def test_images_that_the_thumbnail_holds_as_well_stay_as_they_are() -> None:
    one, other = grays(fingerprint(coloured(400)), fingerprint(coloured(200)))
    same = one_size((one, other), (np.array([400]), np.array([200])))
    assert np.array_equal(same[0], one)
    assert np.array_equal(same[1], other)


def test_gray_is_of_colours_what_it_is_of_images() -> None:
    small = coloured(32)
    of_colours = gray_of(np.asarray(small, np.float32))
    assert np.abs(of_colours - fingerprint(small).gray).max() <= 1
