"""What was seen of a corpus as its documents became sequences of tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class CorpusFacts:
    """`tokens`, `sequences` and `left_over` are by stream."""

    documents: int
    sequence_length: int
    tokens: Mapping[str, int] = field(default_factory=dict)
    """The end-of-text tokens between documents among them."""
    sequences: Mapping[str, int] = field(default_factory=dict)
    left_over: Mapping[str, int] = field(default_factory=dict)
    """Tokens at the end of a stream that fill no sequence: nothing is learned or measured of them."""
    empty: tuple[str, ...] = ()
    """Keys of documents of blanks alone, which are left out."""
    joined: bool = True
    """Whether an end-of-text token stands between two documents; the model has one."""
