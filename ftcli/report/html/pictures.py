"""An image small enough to lie within the page itself, or a text's beginning."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from ftcli.report.html.text import safe

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 160
_TINY = 48
"""Narrower images are kept as they are, and enlarged without blurring."""
PASSAGE = 280
"""Characters of a text."""


def picture(image: Image, alt: str, side: int = SIDE) -> str:
    """The plain picture, at most `side` pixels wide and high."""
    from ftcli.components.data.image import to_rgb

    small = to_rgb(image)
    tiny = max(small.size) <= _TINY
    packed = io.BytesIO()
    if tiny:
        small.save(packed, "PNG", optimize=True)
    else:
        small.thumbnail((side, side))
        small.save(packed, "JPEG", quality=80)
    code = base64.b64encode(packed.getvalue()).decode("ascii")
    kind = "png" if tiny else "jpeg"
    of_class = "picture tiny" if tiny else "picture"
    return f'<img class="{of_class}" alt="{safe(alt)}" src="data:image/{kind};base64,{code}">'


def passage(text: str) -> str:
    """A text in the place of a picture: its beginning, whatever is written there as it stands."""
    words = " ".join(text.split())
    shown = words if len(words) <= PASSAGE else words[:PASSAGE] + " …"
    return f'<blockquote class="passage" dir="auto">{safe(shown) or "(empty)"}</blockquote>'


def gone(reason: str) -> str:
    return f'<p class="gone">{safe(reason)}</p>'
