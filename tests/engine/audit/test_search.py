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


def clothes(number: int) -> list[Image.Image]:
    """Shirts of one outline, 28 pixels a side, white or nearly; each has its own folds and its own width."""
    rng = np.random.default_rng(3)
    made = []
    for _ in range(number):
        folds = rng.normal(0, 1, (9, 9))
        cloth = Image.fromarray(folds.astype(np.float32)).resize((28, 28), Image.Resampling.BICUBIC)
        shirt = np.zeros((28, 28))
        width = int(rng.integers(6, 9))
        shirt[3:25, 14 - width : 14 + width] = 1
        shirt[4:12, 2:26] = 1
        pixels = np.clip(shirt * (205 + 22 * np.asarray(cloth)), 0, 255).astype(np.uint8)
        made.append(Image.fromarray(pixels).convert("RGB"))
    return made


def pairs_among(images: list[Image.Image]) -> set[tuple[int, ...]]:
    return {tuple(pair) for pair in copies_of(images).pairs.tolist()}


SMALL_CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "half": lambda image: image.resize((14, 14), Image.Resampling.LANCZOS),
    "half jpeg": lambda image: jpeg(image.resize((14, 14), Image.Resampling.LANCZOS)),
    "cropped by a pixel": lambda image: image.crop((0, 1, 27, 28)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
}


@pytest.mark.parametrize("change", SMALL_CHANGES)
def test_a_copy_of_a_tiny_image_is_found_among_its_look_alikes(change: str) -> None:
    images = clothes(60)
    changed = [SMALL_CHANGES[change](image) for image in images[:20]]
    found = pairs_among(images + changed)
    expected = {(place, 60 + place) for place in range(20)}
    assert len(expected & found) >= 19
    assert not found - expected


def test_look_alikes_of_one_outline_are_no_copies() -> None:
    assert not pairs_among(clothes(120))


def badge(middle: int) -> Image.Image:
    """Pale rings on white: colours that run into white one after the other."""
    y, x = np.mgrid[:64, :64]
    away = np.hypot(x - middle, y - 30)
    pixels = np.full((64, 64, 3), 255, np.uint8)
    pixels[away < 26] = (190, 205, 215)
    pixels[away < 16] = (225, 235, 240)
    pixels[away < 7] = (120, 60, 60)
    return Image.fromarray(pixels)


def test_a_pale_drawing_that_was_made_brighter_is_found() -> None:
    brighter = ImageEnhance.Brightness(badge(30)).enhance(1.2)
    assert (np.asarray(brighter)[30, 12] > 220).all()
    found = copies_of([badge(30), brighter])
    assert found.pairs.tolist() == [[0, 1]]
    assert found.gain[0] == pytest.approx(1.2, abs=0.08)


def test_another_part_of_one_scene_is_another_image() -> None:
    """Neither frame lies within the other one: a film's next picture, not a crop."""
    whole = photos()[7].resize((140, 140))
    one, other = whole.crop((0, 0, 128, 128)), whole.crop((6, 6, 134, 134))
    assert not pairs_among([one, other])
    assert pairs_among([one, one.crop((4, 4, 126, 126))])


def test_a_crop_of_strong_colours_is_one_picture() -> None:
    """Colours are compared where the fit puts them: small patches would not agree in place."""
    patches = np.random.default_rng(6).integers(0, 2, (9, 9, 3), dtype=np.uint8) * 200 + 30
    patches[::3, ::3] = 255
    whole = Image.fromarray(patches.astype(np.uint8)).resize((64, 64), Image.Resampling.BICUBIC)
    assert pairs_among([whole, whole.crop((3, 3, 64, 64))])


@pytest.mark.parametrize("number", [0, 1, 2])
def test_few_images(number: int) -> None:
    blank = fingerprint(Image.new("RGB", (30, 30), "white"))
    gray = np.stack([blank.gray] * number) if number else np.empty((0, 32, 32), np.uint8)
    colour = np.stack([blank.colour] * number) if number else np.empty((0, 16, 16, 3), np.uint8)
    assert len(near_copies(gray, colour, np.full(number, 30)).pairs) == 0


def test_a_digest_is_of_the_pixels() -> None:
    image = photos()[0]
    assert fingerprint(image).digest == fingerprint(image.convert("RGBA")).digest
    assert fingerprint(image).digest != fingerprint(image.transpose(Image.Transpose.ROTATE_90)).digest
    touched = image.copy()
    touched.putpixel((3, 3), (1, 2, 3))
    assert fingerprint(touched).digest != fingerprint(image).digest


@pytest.mark.slow
def test_300_images_a_second() -> None:
    """The best of several turns: a busy machine slows down some of them."""
    image = photos()[0].resize((500, 375))
    seconds = []
    for _ in range(10):
        started = time.process_time()
        for _ in range(20):
            fingerprint(image)
        seconds.append((time.process_time() - started) / 20)
    assert 1 / min(seconds) > 300
