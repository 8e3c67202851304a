"""What two texts are compared by: their words, whatever their case and whatever stands between them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b, sha256

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

_WITHOUT_BLANKS = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff"
"""Scripts that put nothing between words (Thai, Lao, Kana, Han): each character counts as one."""
_WORD = re.compile(rf"[{_WITHOUT_BLANKS}]|[^\W{_WITHOUT_BLANKS}]+")

NOTHING = sha256(b"").digest()
"""The digest of a text of blanks alone."""


@dataclass(frozen=True)
class TextPrint:
    digest: bytes
    """Equal for the same words and signs, whatever their case and whatever blanks are between them."""
    words: Hashes
    """(N,) in their order, without signs."""


def text_print(text: str) -> TextPrint:
    plain = " ".join(text.split()).casefold()
    words = [_hash(word) for word in _WORD.findall(plain)]
    digest = sha256(plain.encode("utf-8", "surrogatepass")).digest()
    return TextPrint(digest, np.array(words, np.uint64))


def _hash(word: str) -> int:
    return int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest())
