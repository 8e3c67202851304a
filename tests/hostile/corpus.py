"""Sixty hostile files and more, built from real digits; each says what has to become of it.

`python -m tests.hostile.corpus FOLDER` writes them to look at.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from tests.toys import digit_images

ORIENTATION = 0x0112
CUTS = 20
PNG_TAIL = 22
"""Bytes at the end of a PNG that hold no pixels: end of block, checksums and the IEND chunk."""


@dataclass(frozen=True)
class Hostile:
    """`name` is the file's. `rgb` and `size` are what it has to open as; None: it has to be refused."""

    name: str
    content: bytes
    size: tuple[int, int] | None = None
    rgb: tuple[int, int, int] | None = None
    """Of the upper left pixel, give or take what JPEG loses."""


def page() -> Image.Image:
    """64 real digits on one page, in colours: 128 x 64 pixels."""
    images, _ = digit_images()
    rows = [np.concatenate(images[16 * row : 16 * row + 16], axis=1) for row in range(8)]
    gray = np.concatenate(rows, axis=0)
    return Image.fromarray(np.stack([gray, 255 - gray, gray // 2 + 64], axis=2).astype(np.uint8))


def stored(image: Image.Image, format_: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format=format_, **options)
    return buffer.getvalue()


def truncated() -> list[Hostile]:
    """Cut off at twenty offsets, each of JPEG, PNG and WebP: from the first byte to the last that pixels need."""
    found = []
    for format_ in ("JPEG", "PNG", "WEBP"):
        whole = stored(page(), format_)
        for number in range(CUTS):
            last = len(whole) - (PNG_TAIL + 1 if format_ == "PNG" else 1)
            end = 1 + (last - 1) * number // (CUTS - 1)
            found.append(Hostile(f"cut_{format_.lower()}_{number:02}.{format_.lower()}", whole[:end]))
    return found


def no_images() -> list[Hostile]:
    return [
        Hostile("empty.jpg", b""),
        Hostile("page.jpg", b"<!DOCTYPE html><html><title>404 Not Found</title></html>"),
        Hostile("zip.png", b"PK\x03\x04" + bytes(200)),
        Hostile("pdf.png", b"%PDF-1.7\n" + bytes(200)),
        Hostile("svg.png", b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
        Hostile("zeros.jpg", bytes(4096)),
        Hostile("ppm.png", stored(page(), "PPM")),
        Hostile("eps.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(x) run\n"),
        Hostile("float.tif", stored(Image.new("F", (8, 8), 0.5), "TIFF")),
        Hostile("damaged.png", _with_a_wrong_checksum(stored(page(), "PNG"))),
    ]


def _with_a_wrong_checksum(png: bytes) -> bytes:
    at = png.index(b"IDAT") + 40
    return png[:at] + bytes([png[at] ^ 0xFF]) + png[at + 1 :]


def odd_but_good() -> list[Hostile]:
    """What opens, and as what. Sideways: red on the left of 8 x 4 pixels is on top of the upright 4 x 8."""
    red, size = (255, 0, 0), (8, 4)
    plain, large = Image.new("RGB", size, red), Image.new("RGB", (32, 16), red)
    sideways = Image.new("RGB", (32, 16), "blue")
    sideways.paste("red", (0, 0, 16, 16))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    deep = Image.fromarray(np.full((4, 8), 65535, dtype=np.uint16))
    palette = plain.convert("P", palette=Image.Palette.ADAPTIVE)
    frames = [Image.new("RGB", size, colour) for colour in ("lime", "blue")]
    clear = Image.new("RGBA", size, (255, 0, 0, 0))
    cmyk = Image.new("CMYK", (32, 16), (0, 255, 255, 0))
    return [
        Hostile("cmyk.jpg", stored(cmyk, "JPEG", quality=95), (32, 16), red),
        Hostile("cmyk.tif", stored(cmyk, "TIFF"), (32, 16), red),
        Hostile("deep.png", stored(deep, "PNG"), size, (255, 255, 255)),
        Hostile("deep.tif", stored(deep, "TIFF"), size, (255, 255, 255)),
        Hostile("palette.png", stored(palette, "PNG"), size, red),
        Hostile("palette.gif", stored(palette, "GIF"), size, red),
        Hostile("gray_alpha.png", stored(Image.new("LA", size, (0, 0)), "PNG"), size, (255, 255, 255)),
        Hostile("clear.png", stored(clear, "PNG"), size, (255, 255, 255)),
        Hostile("clear.webp", stored(clear, "WEBP", lossless=True, exact=True), size, (255, 255, 255)),
        Hostile("sideways.jpg", stored(sideways, "JPEG", exif=exif, quality=95), (16, 32), red),
        Hostile("sideways.png", stored(sideways, "PNG", exif=exif), (16, 32), red),
        Hostile("moving.gif", stored(plain, "GIF", save_all=True, append_images=frames), size, red),
        Hostile("moving.png", stored(plain, "PNG", save_all=True, append_images=frames), size, red),
        Hostile(
            "moving.webp",
            stored(plain, "WEBP", save_all=True, append_images=frames, lossless=True),
            size,
            red,
        ),
        Hostile("one.png", stored(Image.new("L", (1, 1), 7), "PNG"), (1, 1), (7, 7, 7)),
        Hostile("bit.png", stored(Image.new("1", (3, 3), 1), "PNG"), (3, 3), (255, 255, 255)),
        Hostile("gray.bmp", stored(Image.new("L", (3, 3), 9), "BMP"), (3, 3), (9, 9, 9)),
        Hostile("png_inside.jpg", stored(plain, "PNG"), size, red),
        Hostile("progressive.jpg", stored(large, "JPEG", progressive=True, quality=95), (32, 16), red),
        Hostile("bad_exif.jpg", stored(large, "JPEG", exif=b"Exif\0\0nonsense", quality=95), (32, 16), red),
    ]


def everything() -> list[Hostile]:
    return [*truncated(), *no_images(), *odd_but_good()]


def write(folder: Path, files: list[Hostile]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        (folder / file.name).write_bytes(file.content)


def as_left(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Every file's bytes, time of change and mode: what must be as before."""
    return {
        path.relative_to(folder).as_posix(): (
            path.read_bytes(),
            path.stat().st_mtime_ns,
            path.stat().st_mode,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


if __name__ == "__main__":
    write(Path(sys.argv[1]), everything())
