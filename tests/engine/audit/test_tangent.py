"""A first look puts changed copies near and other images far."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageEnhance

from ftcli.engine.audit.fingerprint import fingerprint
from ftcli.engine.audit.spectrum import spectra
from ftcli.engine.audit.tangent import coarse, distances, planes


def test_a_brighter_or_shifted_copy_is_near_and_another_image_far() -> None:
    rng = np.random.default_rng(0)
    one, other = (
        Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((96, 96)) for _ in range(2)
    )
    images = [one, ImageEnhance.Brightness(one).enhance(1.2), one.crop((2, 1, 96, 95)), other]
    gray = np.stack([fingerprint(image).gray for image in images])
    waves = spectra(gray)
    pairs = np.array([[1, 0], [2, 0], [3, 0]], np.int32)
    brighter, shifted, foreign = distances(coarse(waves), planes(waves, gray), pairs)
    assert brighter < 0.15
    assert shifted < 0.15
    assert foreign > 0.5
