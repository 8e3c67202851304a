"""Texts from where they are stored to tokens, each read and encoded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256

from torch import Tensor

from ftcli.engine.tokenizer import Tokenizer
from ftcli.engine.unreadable import all_at_once
from ftcli.errors import DataError
from ftcli.findings import Finding
from ftcli.plans.data_splits import DataSplits
from ftcli.plans.text_facts import TextFacts
from ftcli.plans.tokenization import Tokenization
from ftcli.stopping import at_safe_points, safe_point

AT_ONCE = 1000
"""Texts that are read and encoded together."""


class TextStore:
    """The tokens of a DataSplits by index; all of them in memory, four bytes a token."""

    in_memory = True

    def __init__(
        self, splits: DataSplits, preprocessing: Tokenization, memory_bytes: int, tokenizer: Tokenizer
    ) -> None:
        self.splits = splits
        self.preprocessing = preprocessing
        self.memory_bytes = memory_bytes
        self.facts = TextFacts(0, 0, preprocessing.max_length)
        self._tokenizer = tokenizer
        self._tokens: dict[int, Tensor] = {}

    def __getitem__(self, index: int) -> Tensor:
        """int32 (L,). Raises DataError naming the file that cannot be read."""
        if index not in self._tokens:
            return self._tokenizer.encode([self.splits.load(index)])[0].tokens
        return self._tokens[index]

    @at_safe_points()
    def scan(self, on_progress: Callable[[int, int], None]) -> None:
        """Read and encode everything once. Raises DataError with every file that cannot be read."""
        indices = sorted({index for stream in self.splits.streams.values() for index in stream})
        errors: list[DataError] = []
        for start in range(0, len(indices), AT_ONCE):
            safe_point()
            self._encode(list(self._readable(indices[start : start + AT_ONCE], errors)))
            on_progress(min(start + AT_ONCE, len(indices)), len(indices))
        if errors:
            remedy = "save these files as UTF-8, or remove them"
            raise all_at_once(errors, f"{len(indices)} texts", remedy)

    def _readable(self, indices: Sequence[int], errors: list[DataError]) -> Iterator[tuple[int, str]]:
        for index in indices:
            try:
                yield index, self.splits.load(index)
            except DataError as error:
                errors.append(error)

    def _encode(self, texts: Sequence[tuple[int, str]]) -> None:
        encoded = self._tokenizer.encode([text for _, text in texts])
        self._tokens |= {index: found.tokens for (index, _), found in zip(texts, encoded, strict=True)}
        lengths = [found.length for found in encoded]
        over = [length - self.preprocessing.max_length for length in lengths]
        empty = [self.splits.examples[index].key for index, text in texts if not text.strip()]
        known = self.facts
        self.facts = replace(
            known,
            texts=known.texts + len(texts),
            tokens=known.tokens + sum(lengths),
            cut=known.cut + sum(more > 0 for more in over),
            lost=known.lost + sum(more for more in over if more > 0),
            longest=max([known.longest, *lengths]),
            empty=(*known.empty, *empty),
        )

    def lengths(self, stream: str) -> list[int]:
        """Tokens of each text of a stream, in its order."""
        return [len(self[index]) for index in self.splits.streams[stream]]

    def content(self, index: int) -> bytes:
        """What the text is made of, 32 bytes."""
        return sha256(self[index].numpy().tobytes()).digest()

    def divided_as(self, splits: DataSplits) -> TextStore:
        """The same texts, encoded already, for other streams of the same examples."""
        other = TextStore(splits, self.preprocessing, self.memory_bytes, self._tokenizer)
        other._tokens, other.facts = self._tokens, self.facts
        return other

    def listen(self, tell: Callable[[Finding], None]) -> None:
        """Nothing is noticed later on."""
