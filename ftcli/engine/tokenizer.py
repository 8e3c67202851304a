"""Texts into tokens, by the tokenizer that was published with the network: its JSON, and no code of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ftcli.errors import ModelError
from ftcli.plans.tokenization import PAD, Tokenization


@dataclass(frozen=True)
class Encoded:
    """Tokens (L,) int32 of a text, and how many there were before it was cut."""

    tokens: Tensor
    length: int


class Tokenizer:
    """Of a tokenizer.json. Texts are cut after `max_length` tokens, the marks of start and end kept."""

    def __init__(self, content: str, max_length: int, vocabulary: int) -> None:
        """Raises ModelError for content that is none."""
        from tokenizers import Tokenizer as Library

        try:
            self._library = Library.from_str(content)
        except Exception as error:  # of a foreign file: the library raises nothing else
            what = f"cannot read the model's tokenizer: {str(error).partition(chr(10))[0]}"
            raise ModelError(what, remedy="save it again with save_pretrained") from error
        self._library.no_padding()
        self.max_length, self.vocabulary = max_length, vocabulary

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Raises ModelError where it gives numbers that the network does not know."""
        self._library.no_truncation()
        whole = [found.ids for found in self._library.encode_batch(list(texts))]
        long = [place for place, ids in enumerate(whole) if len(ids) > self.max_length]
        short: dict[int, Any] = {}
        if long:
            self._library.enable_truncation(self.max_length)
            again = self._library.encode_batch([texts[place] for place in long])
            short = {place: found.ids for place, found in zip(long, again, strict=True)}
        return [self._encoded(short.get(place, ids), len(ids)) for place, ids in enumerate(whole)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text that they stand for, the marks of start and end left out."""
        return str(self._library.decode(list(ids), skip_special_tokens=True))

    def decode_after(self, before: Sequence[int], ids: Sequence[int]) -> str:
        """The text of `ids` as it goes on behind `before`: some tokenizers drop the blank that a text begins with."""
        start, whole = self.decode(before), self.decode([*before, *ids])
        return whole.removeprefix(start) if whole.startswith(start) else self.decode(ids)

    def _encoded(self, ids: list[int], length: int) -> Encoded:
        """Where an empty text has no mark of its start either, the first token stands for it."""
        if max(ids, default=0) >= self.vocabulary:
            what = f"the tokenizer gives token {max(ids)}, and the network knows {self.vocabulary:,}"
            raise ModelError(
                what, remedy="give the folder of one model: config.json, weights and tokenizer.json"
            )
        return Encoded(torch.tensor(ids or [0], dtype=torch.int32), length)


def padded(texts: Sequence[Tensor], inputs: Tokenization) -> Tensor:
    """Tokens (B, L) of texts (L,), with PAD behind the shorter ones: as wide as the longest, rounded up."""
    width = inputs.width_of(max(len(text) for text in texts))
    batch = torch.full((len(texts), width), PAD, dtype=torch.int32)
    for row, text in zip(batch, texts, strict=True):
        row[: len(text)] = text
    return batch
