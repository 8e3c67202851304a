"""Opening an image file, and turning any image into RGB: training and predict do it alike."""

from __future__ import annotations

import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ftcli.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
"""The only decoders that are tried, whatever a file is called; a published dataset may have one of its own."""
SUFFIXES = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
"""Which files of a folder are images; compared in lower case."""
MAX_PIXELS = 64_000_000
"""Larger images are refused before they are decoded; a recipe may set another bound."""


def open_image(path: Path, max_pixels: int = MAX_PIXELS) -> Image:
    """The image in its own mode and size, decoded and upright by its EXIF; of an animation, the first frame.

    Raises DataError with the path when it is missing, cut off, too large or of no format in FORMATS.
    """
    return decode(path, str(path), max_pixels)


def decode(
    file: Path | BinaryIO, where: str, max_pixels: int = MAX_PIXELS, formats: tuple[str, ...] = FORMATS
) -> Image:
    """The same for a file, or for bytes that lie in another file; `where` is what an error calls it."""
    from PIL import Image

    _settle_warnings()
    _let_pillow_open(max_pixels)
    try:
        with Image.open(file, formats=formats) as image:
            _refuse_unfit(image, max_pixels)
            image.load()
            _turn_upright(image)
    except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error and others
        what = f"cannot read the image: {_reason(error, max_pixels, formats)}"
        raise DataError(what, where=where, remedy="replace the file, or remove it from the data") from error
    return image


def to_rgb(image: Image) -> Image:
    """The image in mode RGB, 8 bits a channel, of the same size.

    Gray is repeated, palettes are looked up, transparent pixels are laid on white, and 16-bit gray is scaled
    so that 65535 becomes 255.
    """
    if image.mode.startswith("I"):
        image = _to_8_bits(image)
    if image.has_transparency_data:
        image = _on_white(image)
    return image if image.mode == "RGB" else image.convert("RGB")


@cache
def _settle_warnings() -> None:
    """A decompression bomb is an error, not a warning; damaged metadata is not worth a line on the screen.

    Set once and for the process: `warnings.catch_warnings` is not safe in threads.
    """
    from PIL.Image import DecompressionBombWarning

    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    warnings.filterwarnings("error", category=DecompressionBombWarning)


def _let_pillow_open(max_pixels: int) -> None:
    """Pillow's own bound, the process's, is raised to ours where ours is higher; it is never lowered."""
    from PIL import Image

    if Image.MAX_IMAGE_PIXELS is not None and max_pixels > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = max_pixels


def _refuse_unfit(image: Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise ValueError(f"{width} x {height} pixels are more than {max_pixels:,}")
    if image.mode == "F" or (image.mode == "I" and image.format == "TIFF"):
        raise ValueError(
            "its pixels are 32-bit numbers, which have no fixed range; store 8 or 16 bits a channel"
        )


def _turn_upright(image: Image) -> None:
    """By the EXIF orientation where it can be read: damaged metadata does not spoil good pixels."""
    from PIL import ImageOps

    with suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)


def _reason(error: Exception, max_pixels: int, formats: tuple[str, ...]) -> str:
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, (Image.DecompressionBombWarning, Image.DecompressionBombError)):
        return f"it has more than {max_pixels:,} pixels"
    if isinstance(error, UnidentifiedImageError):
        return f"it is none of {', '.join(formats)}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _to_8_bits(image: Image) -> Image:
    import numpy as np
    from PIL import Image

    values = np.clip(np.asarray(image), 0, 65535)
    return Image.fromarray(np.rint(values / 257).astype(np.uint8))


def _on_white(image: Image) -> Image:
    from PIL import Image

    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
