"""Real files of every awkward kind, written with Pillow, read with open_image."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ftcli.components.data.image import open_image, to_rgb
from ftcli.errors import DataError

ORIENTATION = 0x0112
NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def test_a_photo_taken_sideways_is_turned_upright(tmp_path: Path) -> None:
    sideways = Image.new("RGB", (40, 20), "blue")
    sideways.paste("red", (0, 0, 20, 20))
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # the camera was turned: show it rotated by 90 degrees clockwise
    sideways.save(tmp_path / "a.jpg", exif=exif, quality=95)

    upright = open_image(tmp_path / "a.jpg")

    assert upright.size == (20, 40)
    red, _, blue = upright.getpixel((10, 4))
    assert red > 200 > 50 > blue


def test_damaged_exif_does_not_spoil_good_pixels(tmp_path: Path) -> None:
    Image.new("RGB", (8, 4), "red").save(tmp_path / "a.jpg", exif=b"Exif\0\0nonsense that is no TIFF header")
    assert open_image(tmp_path / "a.jpg").size == (8, 4)

    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[0x010E] = "a description"
    text_as_number = exif.tobytes().replace(b"\x01\x0e\x00\x02", b"\x01\x55\x00\x02")
    Image.new("RGB", (8, 4), "red").save(tmp_path / "b.jpg", exif=text_as_number)
    assert open_image(tmp_path / "b.jpg").size == (4, 8)


def test_warnings_of_the_decoder_stay_off_the_screen(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    broken = b"Exif\0\0II*\0\x08\0\0\0\x05\0" + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
    Image.new("RGB", (8, 8), "red").save(path, exif=broken)
    plain = f"from PIL import Image; Image.open({str(path)!r}).getexif()"
    ours = f"from ftcli.components.data.image import open_image; open_image({str(path)!r})"

    assert "Warning" in _stderr(plain), "the file no longer provokes a warning, so this test shows nothing"
    assert _stderr(ours) == ""


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, format_: str, share: float) -> None:
    path = tmp_path / "image.jpg"
    Image.fromarray(NOISE).save(path, format=format_)
    assert open_image(path).size == (64, 64)

    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])

    with pytest.raises(DataError, match="cannot read the image") as caught:
        open_image(path)
    assert caught.value.where == str(path)
    assert caught.value.remedy


def test_the_content_decides_not_the_suffix(tmp_path: Path) -> None:
    Image.new("RGB", (3, 3), "red").save(tmp_path / "png_inside.jpg", format="PNG")
    assert open_image(tmp_path / "png_inside.jpg").size == (3, 3)

    (tmp_path / "page.jpg").write_text("<!DOCTYPE html><title>404</title>")
    with pytest.raises(DataError, match="none of JPEG, PNG, WEBP, BMP, TIFF, GIF"):
        open_image(tmp_path / "page.jpg")


def test_formats_off_the_list_are_refused_whatever_their_name(tmp_path: Path) -> None:
    Image.new("RGB", (3, 3)).save(tmp_path / "a.png", format="PPM")
    with pytest.raises(DataError, match="none of JPEG"):
        open_image(tmp_path / "a.png")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        open_image(tmp_path / "gone.png")


@pytest.mark.parametrize("side", [5, 7, 1000])
def test_too_many_pixels_are_refused_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: int
) -> None:
    """Pillow lets 5 pixels square pass, warns of 7 and raises at 1000."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30)
    Image.new("L", (side, side)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(DataError, match=r"pixels are more than 16|more than 16 pixels"):
        open_image(tmp_path / "a.png", max_pixels=16)


def test_sixteen_bits_become_eight_by_the_full_range(tmp_path: Path) -> None:
    values = np.array([[0, 257, 32768, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    Image.fromarray(values).save(tmp_path / "a.tif")
    for name in ("a.png", "a.tif"):
        stored = open_image(tmp_path / name)
        assert stored.mode.startswith("I")
        assert np.asarray(to_rgb(stored)).tolist() == [[[0] * 3, [1] * 3, [128] * 3, [255] * 3]]


def test_32_bit_pixels_have_no_range_and_are_refused(tmp_path: Path) -> None:
    Image.new("F", (2, 2), 0.5).save(tmp_path / "a.tif")
    Image.new("I", (2, 2), 70_000).save(tmp_path / "b.tif")
    for name in ("a.tif", "b.tif"):
        with pytest.raises(DataError, match="no fixed range"):
            open_image(tmp_path / name)


def test_transparent_pixels_are_laid_on_white(tmp_path: Path) -> None:
    half = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    half.putpixel((1, 0), (255, 0, 0, 0))
    half.save(tmp_path / "rgba.png")
    gray = Image.new("LA", (2, 1), (0, 255))
    gray.putpixel((1, 0), (0, 0))
    gray.save(tmp_path / "la.png")
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "p.png", transparency=1)
    palette.save(tmp_path / "bytes.png", transparency=b"\xff\x00")
    colour = Image.new("RGB", (2, 1), (255, 0, 0))
    colour.putpixel((1, 0), (9, 9, 9))
    colour.save(tmp_path / "rgb.png", transparency=(9, 9, 9))

    for name in ("rgba", "p", "bytes", "rgb"):
        assert _pixels(tmp_path / f"{name}.png") == [(255, 0, 0), (255, 255, 255)], name
    assert _pixels(tmp_path / "la.png") == [(0, 0, 0), (255, 255, 255)]


def test_other_modes(tmp_path: Path) -> None:
    Image.new("CMYK", (2, 1), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg", quality=95)
    red, green, blue = _pixels(tmp_path / "cmyk.jpg")[0]
    assert red > 240 > 20 > max(green, blue)

    Image.new("1", (2, 1), 1).save(tmp_path / "one.png")
    assert _pixels(tmp_path / "one.png") == [(255, 255, 255)] * 2
    Image.new("L", (1, 1), 7).save(tmp_path / "l.bmp")
    assert _pixels(tmp_path / "l.bmp") == [(7, 7, 7)]


@pytest.mark.parametrize("suffix", ["gif", "webp", "tif", "png"])
def test_of_an_animation_the_first_frame_counts(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime")]
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    assert set(_pixels(path)) == {(255, 0, 0)}


def test_rgb_passes_through_untouched() -> None:
    image = Image.fromarray(NOISE)
    assert to_rgb(image) is image


def _pixels(path: Path) -> list[tuple[int, ...]]:
    rgb = to_rgb(open_image(path))
    assert rgb.mode == "RGB"
    return [tuple(pixel) for pixel in np.asarray(rgb).reshape(-1, 3).tolist()]


def _stderr(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr
