"""How a text becomes the network's input: numbers of tokens, kept with the model for good."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

PAD = -1
"""Stands behind a text that is shorter than others of its batch; the network attends to none of these places."""
WIDTH = 16
"""Batches are padded to a multiple of so many tokens: fewer shapes, of which matrix products are fast. A CPU adds up to
sixteen numbers at once; in rows of whole sixteens each token's place in the sum is its own, so that no bit of a text
depends on how far it was padded."""


@dataclass(frozen=True)
class Tokenization:
    """A text is cut after `max_length` tokens, those that mark its start and end among them."""

    max_length: int
    vocabulary: int
    """So many numbers the network knows: 0 is the first."""
    most: int | None = None
    """Tokens that the network has positions for; None where these are relative and have no end."""
    tokenizer: str = ""
    """The sha256 of the tokenizer's JSON; empty where none is known."""
    packed: bool = False
    """Of a language model: texts stand in sequences of exactly `max_length`, one after the other, and the network says
    the next token at every place."""

    def width_of(self, longest: int) -> int:
        """Of a batch whose longest text has so many tokens; no wider than the network has positions for."""
        width = -(-longest // WIDTH) * WIDTH
        return width if self.most is None else max(min(width, self.most), longest)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Tokenization:
        return cls(**values)
