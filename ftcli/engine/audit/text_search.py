"""Near copies among many texts: candidates by MinHash of their pairs of neighbouring words, each judged exactly.

A near copy shares most of its words and pairs of words with another text, or stands in it as a whole. Words alone
would say too little of their order, and pairs alone are lost two at a time with every word that was changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ftcli.engine.audit.text_print import Hashes, TextPrint
from ftcli.plans.audit import LEAST_WORDS
from ftcli.stopping import at_safe_points, safe_point

ALIKE = 0.65
"""The least Jaccard likeness of a near copy: that of six words, one of which was exchanged."""
CONTAINED, AT_LEAST = 0.97, 0.4
"""Of the shorter text's words and pairs so many stand in the longer one, which is not many times as long."""
BANDS, ROWS = 42, 3
"""Of 126 numbers: texts that share two of five pairs meet with a chance of 94%, half of them with 99.6%."""
_MOST = 500
"""Candidates that are judged for a text: it bounds the work where thousands are made from one template."""
_NEAREST = 8
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class TextPairs:
    """Pairs of indices, the lower first, and per pair the Jaccard likeness, and whether one stands in the other."""

    pairs: Sequence[tuple[int, int]]
    likeness: Sequence[float]
    contained: Sequence[bool]


@at_safe_points()
def near_texts(
    texts: Sequence[TextPrint], on_progress: Callable[[int, int], None] = lambda done, total: None
) -> TextPairs:
    """Each text with the nearest of those before it. It takes 0.7 ms a text of 23 words."""
    from datasketch import MinHash, MinHashLSH

    compared = [number for number, text in enumerate(texts) if len(text.words) >= LEAST_WORDS]
    shingles = {number: _shingles(texts[number].words) for number in compared}
    index = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
    found: list[tuple[int, int, float, bool]] = []
    pairs = (_short(shingles[number][1]) for number in compared)
    sketches = MinHash.generator(pairs, num_perm=BANDS * ROWS, hashfunc=int)
    for done, (number, sketch) in enumerate(zip(compared, sketches, strict=True)):
        safe_point()
        others = sorted(index.query(sketch))[:_MOST]
        judged = [(other, number, *_judged(shingles[other], shingles[number])) for other in others]
        near = [pair for pair in judged if pair[2] >= ALIKE or (pair[3] and pair[2] >= AT_LEAST)]
        found += sorted(near, key=lambda pair: -pair[2])[:_NEAREST]
        index.insert(number, sketch)
        on_progress(done + 1, len(compared))
    return TextPairs(
        [(one, other) for one, other, _, _ in found],
        [likeness for _, _, likeness, _ in found],
        [contained for _, _, _, contained in found],
    )


def _shingles(words: Hashes) -> tuple[Hashes, Hashes]:
    """The words and the pairs of neighbouring ones, each once, in order."""
    return np.unique(words), np.unique(words[:-1] * _ODD + words[1:])


def _short(pairs: Hashes) -> list[int]:
    """32 bits of each, which is what MinHash takes."""
    return (pairs >> np.uint64(32)).tolist()


def _judged(one: tuple[Hashes, Hashes], other: tuple[Hashes, Hashes]) -> tuple[float, bool]:
    common = sum(len(np.intersect1d(a, b, assume_unique=True)) for a, b in zip(one, other, strict=True))
    first, second = (sum(map(len, shingles)) for shingles in (one, other))
    return common / (first + second - common), common >= CONTAINED * min(first, second)
