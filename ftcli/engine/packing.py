"""A corpus as sequences of tokens: every document encoded once, and all of a stream in one row that is cut evenly."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import torch
from torch import Tensor

from ftcli.engine.tokenizer import Tokenizer
from ftcli.engine.unreadable import all_at_once
from ftcli.errors import DataError
from ftcli.findings import Finding
from ftcli.plans.corpus_facts import CorpusFacts
from ftcli.plans.data_splits import DataSplits, Example
from ftcli.plans.tokenization import Tokenization
from ftcli.stopping import at_safe_points, safe_point

AT_ONCE = 100
"""Documents that are read and encoded together."""


@dataclass(frozen=True)
class Row:
    """The tokens (T,) int32 of a stream, and where in it each of its documents begins."""

    tokens: Tensor
    starts: tuple[int, ...]
    documents: tuple[int, ...]
    """Their indices among the examples of the corpus."""

    def sequences(self, length: int) -> int:
        """As many as have a next token at every place."""
        return max(len(self.tokens) - 1, 0) // length

    def documents_in(self, start: int, end: int) -> tuple[int, ...]:
        """Those of which tokens stand in [start, end)."""
        first, last = bisect_right(self.starts, start) - 1, bisect_right(self.starts, end - 1)
        return self.documents[first:last]


class PackedStore:
    """Sequences of `sequence_length` tokens by index; `splits` are of these, `documents` of what they are made of.

    Each place's target is the next token of the row, that of the last place the first of the sequence behind it: every
    token but a row's first is predicted once, and what fills no sequence at its end is left out. Attention sees what
    stands before in the sequence, of the document before too.
    """

    in_memory = True

    def __init__(
        self,
        documents: DataSplits,
        preprocessing: Tokenization,
        memory_bytes: int,
        tokenizer: Tokenizer,
        end_of_text: int | None,
    ) -> None:
        self.documents = documents
        self.preprocessing = preprocessing
        self.memory_bytes = memory_bytes
        self.facts = CorpusFacts(0, preprocessing.max_length, joined=end_of_text is not None)
        self.splits = replace(documents, examples=(), streams=dict.fromkeys(documents.streams, ()))
        self._tokenizer, self._end = tokenizer, end_of_text
        self._rows: dict[str, Row] = {}
        self._places: list[tuple[str, int]] = []

    def __getitem__(self, index: int) -> Tensor:
        """int32 (L,)."""
        stream, start = self._places[index]
        return self._rows[stream].tokens[start : start + self.preprocessing.max_length]

    def target(self, index: int) -> Tensor:
        """The next token at every place, int64 (L,)."""
        stream, start = self._places[index]
        return self._rows[stream].tokens[start + 1 : start + 1 + self.preprocessing.max_length].long()

    def documents_of(self, index: int) -> tuple[int, ...]:
        """The documents that a sequence is made of, its targets among it."""
        stream, start = self._places[index]
        return self._rows[stream].documents_in(start, start + 1 + self.preprocessing.max_length)

    @at_safe_points()
    def scan(self, on_progress: Callable[[int, int], None]) -> None:
        """Read and encode everything once. Raises DataError with every file that cannot be read, and for a stream

        that fills no sequence.
        """
        total = sum(len(indices) for indices in self.documents.streams.values())
        errors: list[DataError] = []
        empty: list[str] = []
        done = 0
        for stream, indices in self.documents.streams.items():
            parts: list[tuple[int, Tensor]] = []
            for start in range(0, len(indices), AT_ONCE):
                safe_point()
                parts += self._encoded(indices[start : start + AT_ONCE], errors, empty)
                on_progress(done + min(start + AT_ONCE, len(indices)), total)
            done += len(indices)
            self._rows[stream] = _joined(parts, self._end)
        if errors:
            remedy = "save these files as UTF-8, or remove them"
            raise all_at_once(errors, f"{total} documents", remedy)
        self._cut(total, tuple(empty))

    def _encoded(
        self, indices: Sequence[int], errors: list[DataError], empty: list[str]
    ) -> list[tuple[int, Tensor]]:
        texts: list[tuple[int, str]] = []
        for index in indices:
            try:
                text = self.documents.load(index)
            except DataError as error:
                errors.append(error)
                continue
            if text.strip():
                texts.append((index, text))
            else:
                empty.append(self.documents.examples[index].key)
        encoded = self._tokenizer.encode([text for _, text in texts])
        return [(index, found.tokens) for (index, _), found in zip(texts, encoded, strict=True)]

    def _cut(self, documents: int, empty: tuple[str, ...]) -> None:
        length = self.preprocessing.max_length
        counts = {stream: row.sequences(length) for stream, row in self._rows.items()}
        tokens = {stream: len(row.tokens) for stream, row in self._rows.items()}
        left = {stream: max(tokens[stream] - 1 - counts[stream] * length, 0) for stream in tokens}
        for stream, count in counts.items():
            if not count:
                what = f"{stream} has {tokens[stream]:,} tokens, which fill no sequence of {length}"
                remedy = "lower data.sequence_length, or give more text"
                raise DataError(what, where="data.sequence_length", remedy=remedy)
        self._places = [(stream, number * length) for stream, n in counts.items() for number in range(n)]
        self.splits = _of_sequences(self.documents, counts)
        self.facts = replace(
            self.facts, documents=documents, tokens=tokens, sequences=counts, left_over=left, empty=empty
        )

    def content(self, index: int) -> bytes:
        """What the sequence is made of, 32 bytes."""
        return sha256(self[index].numpy().tobytes()).digest()

    def listen(self, tell: Callable[[Finding], None]) -> None:
        """Nothing is noticed later on."""


def _joined(parts: Sequence[tuple[int, Tensor]], end: int | None) -> Row:
    """The documents one after the other, an end-of-text token behind each."""
    mark = torch.tensor([] if end is None else [end], dtype=torch.int32)
    pieces = [torch.cat([tokens, mark]) for _, tokens in parts]
    starts, at = [], 0
    for piece in pieces:
        starts.append(at)
        at += len(piece)
    tokens = torch.cat(pieces) if pieces else mark[:0]
    return Row(tokens, tuple(starts), tuple(index for index, _ in parts))


def _of_sequences(documents: DataSplits, counts: dict[str, int]) -> DataSplits:
    """The same streams, of sequences: what an epoch counts, draws and scores."""
    examples: list[Example] = []
    streams: dict[str, tuple[int, ...]] = {}
    for stream, count in counts.items():
        streams[stream] = tuple(range(len(examples), len(examples) + count))
        examples += [Example(f"{stream} {number:07d}", ()) for number in range(count)]
    return replace(documents, examples=tuple(examples), streams=streams, left_out={})
