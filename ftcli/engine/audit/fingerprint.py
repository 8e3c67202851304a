"""What an audit keeps of an image: a digest of its pixels, a thumbnail to compare, and its pixel statistics.

Own code rather than a library of perceptual hashes: those decode, resize and transform an image once per hash and
once more for its mirror image; here one thumbnail is kept, and every hash of every image is one multiplication of
matrices over all thumbnails at once (`spectrum`, `hashes`).
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from ftcli.components.data.image import to_rgb

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

SIDE = 32
"""Of the gray thumbnail, in pixels; the image is squashed into it."""
COLOUR_SIDE = 16
"""Of the thumbnail in colour: what gray cannot tell apart, a red heart and a blue one, and where a brighter copy runs
into white."""
Bytes = npt.NDArray[np.uint8]
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""ITU-R BT.601, as in Pillow's conversion to gray."""


@dataclass(frozen=True)
class Fingerprint:
    """Of a decoded image, upright and in RGB, whatever the file's format and metadata were."""

    digest: bytes
    """Equal only for the same pixels in the same size."""
    width: int
    height: int
    gray: Bytes
    """(SIDE, SIDE): half the brightness, half the darkest channel. Where colours are made brighter that one runs into
    white last, and what is coloured stands out from a white background; brightness is what compressors keep best."""
    colour: Bytes
    """(COLOUR_SIDE, COLOUR_SIDE, 3)."""
    mean: tuple[float, float, float]
    """Of each channel, 0 to 255."""
    std: tuple[float, float, float]
    spread: int
    """The widest range of values in a channel: 0 when every pixel is the same."""


def fingerprint(image: PILImage) -> Fingerprint:
    rgb = to_rgb(image)
    mean, std, spread = _statistics(rgb)
    small = rgb.resize((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    colour = small.resize((COLOUR_SIDE, COLOUR_SIDE), Image.Resampling.BOX)
    return Fingerprint(
        digest=_digest(rgb),
        width=rgb.width,
        height=rgb.height,
        gray=_gray(small),
        colour=np.asarray(colour),
        mean=mean,
        std=std,
        spread=spread,
    )


def _gray(small: PILImage) -> Bytes:
    light = np.asarray(small.convert("L"), dtype=np.uint16)
    gray: Bytes = ((light + np.asarray(small).min(axis=2)) // 2).astype(np.uint8)
    return gray


def gray_of(rgb: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """What `Fingerprint.gray` holds, of colours (..., 3)."""
    gray: npt.NDArray[np.float32] = (rgb @ _LUMA + rgb.min(axis=-1)) / 2
    return gray


def _digest(rgb: PILImage) -> bytes:
    digest = blake2b(f"{rgb.width}x{rgb.height}".encode(), digest_size=32)
    digest.update(rgb.tobytes())
    return digest.digest()


def _statistics(
    rgb: PILImage,
) -> tuple[tuple[float, float, float], tuple[float, float, float], int]:
    """Mean and standard deviation of each channel and the widest range, all from one pass: the histogram."""
    counts = np.asarray(rgb.histogram(), dtype=np.float64).reshape(3, 256)
    values = np.arange(256.0)
    number = rgb.width * rgb.height
    mean = counts @ values / number
    variance = np.maximum(counts @ values**2 / number - mean**2, 0)
    present = [np.flatnonzero(channel) for channel in counts]
    spread = max(int(seen[-1] - seen[0]) for seen in present)
    r, g, b = (float(value) for value in mean)
    dr, dg, db = (float(value) for value in np.sqrt(variance))
    return (r, g, b), (dr, dg, db), spread
