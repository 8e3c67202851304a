"""Copies of real images are recognised whatever was done to them; look-alikes are not."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from ftcli.engine.audit.fingerprint import fingerprint
from ftcli.engine.audit.search import NearPairs, near_copies


@cache
def photos() -> list[Image.Image]:
    """Pieces of the two photographs that come with scikit-learn, and digits."""
    from sklearn.datasets import load_digits, load_sample_images

    found = []
    for photo in load_sample_images().images:
        whole = Image.fromarray(photo)
        found += [
            whole.crop((x, y, x + 128, y + 107)) for x in range(0, 512, 128) for y in range(0, 321, 107)
        ]
    digits = (load_digits().images * (255 / 16)).astype("uint8")
    return found + [Image.fromarray(digit).convert("RGB") for digit in digits[:200]]


def copies_of(images: list[Image.Image]) -> NearPairs:
    prints = [fingerprint(image) for image in images]
    sides = np.array([min(p.width, p.height) for p in prints])
    return near_copies(np.stack([p.gray for p in prints]), np.stack([p.colour for p in prints]), sides)


def jpeg(image: Image.Image) -> Image.Image:
    import io

    packed = io.BytesIO()
    image.save(packed, "JPEG", quality=60)
    return Image.open(io.BytesIO(packed.getvalue()))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "jpeg": jpeg,
    "half": lambda image: image.resize((64, 53)),
    "double": lambda image: image.resize((256, 214)),
    "cropped": lambda image: image.crop((5, 3, 126, 104)),
    "mirrored": ImageOps.mirror,
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.8),
    "low contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.8),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found(change: str) -> None:
    images = photos()
    sources = [i for i in range(24) if i % 4 >= 2]  # what is left out is white sky and blurred background
    changed = [CHANGES[change](images[i]) for i in sources]
    found = {tuple(pair) for pair in copies_of(images + changed).pairs.tolist()}
    expected = {(source, len(images) + place) for place, source in enumerate(sources)}
    assert len(expected & found) >= len(expected) - 1
    assert len(found - expected) <= 1, "pieces of one sky may be taken for each other, digits never"


def test_a_pair_says_how_it_came_about() -> None:
    images = photos()
    changed = [ImageOps.mirror(images[5]), CHANGES["cropped"](images[7]), CHANGES["darker"](images[9])]
    found = copies_of(images + changed)
    rows = {tuple(pair): row for row, pair in enumerate(found.pairs.tolist())}
    number = len(images)
    mirror, crop, dark = rows[5, number], rows[7, number + 1], rows[9, number + 2]
    assert found.mirrored[mirror]
    assert not found.mirrored[crop]
    assert found.zoom[crop] > 0.012 > found.zoom[dark]
    assert found.gain[dark] == pytest.approx(0.8, abs=0.06)


def test_the_same_shape_in_another_colour_is_another_image() -> None:
    red = np.zeros((40, 40, 3), np.uint8) + 255
    red[10:30, 8:25] = (220, 30, 30)
    blue = red[..., ::-1]
    assert len(copies_of([Image.fromarray(red), Image.fromarray(blue)]).pairs) == 0
    assert len(copies_of([Image.fromarray(red), Image.fromarray(red).resize((80, 80))]).pairs) == 1


@pytest.mark.parametrize("number", [0, 1, 2])
def test_few_images(number: int) -> None:
    blank = fingerprint(Image.new("RGB", (30, 30), "white"))
    gray = np.stack([blank.gray] * number) if number else np.empty((0, 32, 32), np.uint8)
    colour = np.stack([blank.colour] * number) if number else np.empty((0, 8, 8, 3), np.uint8)
    assert len(near_copies(gray, colour, np.full(number, 30)).pairs) == 0


def test_a_digest_is_of_the_pixels() -> None:
    image = photos()[0]
    assert fingerprint(image).digest == fingerprint(image.convert("RGBA")).digest
    assert fingerprint(image).digest != fingerprint(image.transpose(Image.Transpose.ROTATE_90)).digest
    touched = image.copy()
    touched.putpixel((3, 3), (1, 2, 3))
    assert fingerprint(touched).digest != fingerprint(image).digest


def test_300_images_a_second() -> None:
    image = photos()[0].resize((500, 375))
    started = time.perf_counter()
    for _ in range(60):
        fingerprint(image)
    assert 60 / (time.perf_counter() - started) > 150, "half of what is promised, for a busy machine"
