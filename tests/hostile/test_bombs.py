"""Small files that claim to be enormous: refused by what their header says, before a pixel is decoded."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageFile

from ftcli.components.data.image import open_image
from ftcli.engine.images import prepare
from ftcli.errors import DataError
from ftcli.plans.preprocessing import IMAGENET
from tests.hostile.corpus import page, stored

SIDE = 60_000
WIDE_BOUND = 20.0
"""Seconds, for a machine that is busy; a bomb takes milliseconds."""


def png(width: int, height: int, data: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), *chunks, (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )


def deflated(size: int) -> bytes:
    """A deflate bomb: `size` zeros in a thousandth of it."""
    packer = zlib.compressobj(9)
    block = bytes(2**20)
    return b"".join(packer.compress(block) for _ in range(size // len(block))) + packer.flush()


def tiff(width: int, height: int, compression: int) -> bytes:
    entries = [
        (256, width),
        (257, height),
        (258, 8),
        (259, compression),
        (262, 1),
        (273, 8),
        (278, height),
        (279, 64),
    ]
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries)) + body + bytes(128)


def webp(width: int, height: int) -> bytes:
    """An extended WebP (VP8X) with a canvas of the greatest claim, around a real picture."""
    real = stored(page(), "WEBP")[12:]
    head = b"\x10\0\0\0" + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + head + real
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg(width: int, height: int) -> bytes:
    whole = stored(page(), "JPEG")
    at = whole.index(b"\xff\xc0") + 5
    return whole[:at] + struct.pack(">HH", height, width) + whole[at + 4 :]


def gif(width: int, height: int) -> bytes:
    whole = stored(page().convert("P"), "GIF")
    return whole[:6] + struct.pack("<HH", width, height) + whole[10:]


def bmp(width: int, height: int) -> bytes:
    whole = stored(page(), "BMP")
    return whole[:18] + struct.pack("<ii", width, height) + whole[26:]


BOMBS: dict[str, Callable[[], bytes]] = {
    "png_header": lambda: png(SIDE, SIDE, zlib.compress(bytes(100))),
    "png_deflate": lambda: png(30_000, 30_000, deflated(2**28)),
    "png_line": lambda: png(2**31 - 1, 1, zlib.compress(bytes(100))),
    "png_just_above": lambda: png(8001, 8000, zlib.compress(bytes(100))),
    "png_below_pillows_bound": lambda: png(9000, 9000, zlib.compress(bytes(100))),
    "tiff_raw": lambda: tiff(SIDE, SIDE, 1),
    "tiff_deflate": lambda: tiff(SIDE, SIDE, 8),
    "webp_canvas": lambda: webp(16_384, 16_384),
    "gif_screen": lambda: gif(65_535, 65_535),
    "bmp_header": lambda: bmp(SIDE, SIDE),
    "bmp_upside_down": lambda: bmp(SIDE, -SIDE),
    "jpeg_header": lambda: jpeg(65_535, 65_535),
}


@pytest.mark.fault(8)
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(BOMBS[name]())
    decoded: list[str] = []
    monkeypatch.setattr(ImageFile.ImageFile, "load_prepare", lambda image: decoded.append("decoded"))
    before = time.process_time()
    with pytest.raises(DataError, match="cannot read the image") as caught:
        open_image(path)
    assert time.process_time() - before < WIDE_BOUND
    assert decoded == []
    assert name.startswith("webp") or "pixels" in caught.value.what, caught.value.what


@pytest.mark.slow
@pytest.mark.fault(8)
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_takes_less_than_a_second(tmp_path: Path, name: str) -> None:
    """The best of three, by the clock on the wall."""
    path = tmp_path / "bomb.png"
    path.write_bytes(BOMBS[name]())
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        with pytest.raises(DataError):
            open_image(path)
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 1


@pytest.mark.fault(8)
@pytest.mark.parametrize("chunk", [b"zTXt", b"iCCP"])
def test_a_deflate_bomb_beside_the_pixels_does_not_unfold(tmp_path: Path, chunk: bytes) -> None:
    """Either the chunk is refused or it is cut: the picture itself is small and may be used."""
    (tmp_path / "a.png").write_bytes(
        png(4, 4, zlib.compress(bytes(13 * 4)), (chunk, b"name\0\0" + deflated(2**28)))
    )
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom ftcli.errors import DataError\n"
        "from ftcli.components.data.image import open_image\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    open_image(Path(sys.argv[1]))\nexcept DataError:\n    pass\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.png")], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 128, "MiB; unfolded it is 256"


def test_a_picture_whose_pixels_unfold_to_more_than_it_claims_is_read_to_its_size(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(4, 4, deflated(2**26)))
    assert open_image(tmp_path / "a.png").size == (4, 4)


def test_the_bound_is_the_recipe_s_in_both_directions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    Image.new("L", (30, 30)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="more than 899"):
        open_image(tmp_path / "a.png", max_pixels=899)
    assert open_image(tmp_path / "a.png", max_pixels=900).size == (30, 30)


@pytest.mark.fault(8)
@pytest.mark.parametrize("size", [(1, 60_000), (60_000, 1)])
def test_a_line_that_resizing_would_make_enormous_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="pixels would become"):
        prepare(Image.new("L", size), IMAGENET)
    assert prepare(Image.new("L", (300, 20)), IMAGENET).shape[0] == 3
