"""What was seen of a task's texts as they became tokens."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TextFacts:
    """Of the texts of all streams."""

    texts: int
    tokens: int
    """Of all texts in full, the marks of start and end among them."""
    max_length: int
    cut: int = 0
    """How many are longer than that."""
    lost: int = 0
    """Tokens that were cut off."""
    longest: int = 0
    """Tokens of the longest text in full."""
    empty: tuple[str, ...] = ()
    """Keys of texts of blanks alone."""

    @property
    def mean_length(self) -> float:
        """Tokens of a text as it is read, cut where it is too long."""
        return (self.tokens - self.lost) / max(self.texts, 1)
