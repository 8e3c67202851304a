"""What two texts are compared by: their words, whatever their case and whatever blanks are between them."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True)
class TextPrint:
    digest: bytes


def text_print(text: str) -> TextPrint:
    words = " ".join(text.split()).casefold()
    return TextPrint(sha256(words.encode("utf-8", "surrogatepass")).digest())
