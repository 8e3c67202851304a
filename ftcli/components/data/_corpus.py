"""What sources of a corpus share: documents without classes, whose every next token is learned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field

from ftcli.errors import DataError
from ftcli.plans.data_splits import TEST, TRAIN, VAL, DataSplits, Example
from ftcli.registry import Choice

from ._common import Split, divided

FEWEST = 3
"""Documents: one for each stream."""


class CorpusOptions(Choice):
    """Fields common to every source of a corpus."""

    task: ClassVar[str] = "causal_lm"

    sequence_length: int | None = Field(default=None, ge=8, le=100_000)
    """Tokens of a sequence; documents stand in it one after the other, with the end-of-text token between. Default 512,
    or what the network has positions for."""
    split: Split = Split()
    """Whole documents, the same for the same seed; the run keeps a copy in split.json."""
    audit: Literal["strict", "warn", "off"] = "warn"
    """What follows from one document in two streams: strict stops before training, warn tells it, off does not look."""


@dataclass(frozen=True)
class Document:
    """`key` names it for good; `stream` is the one that the source says, train where it says none."""

    key: str
    group: str | None = None
    stream: str = TRAIN


def splits_of(
    options: CorpusOptions, source: str, documents: Sequence[Document], load: Callable[[int], str], seed: int
) -> DataSplits:
    """The documents, divided whole; they have no label. Raises DataError where there are too few."""
    named = {stream for stream in (VAL, TEST) if any(each.stream == stream for each in documents)}
    needed = FEWEST - len(named)
    training = sum(each.stream == TRAIN for each in documents)
    if training < needed:
        what = f"{training} document{'s' * (training != 1)} to train on, but at least {needed} are needed"
        remedy = "give more files, or all of the text in one file, which is divided in its order"
        raise DataError(what, where=source, remedy=remedy)
    streams = [stream for stream in (TRAIN, VAL, TEST) if stream == TRAIN or stream in named]
    splits = DataSplits(
        source=source,
        classes=(),
        examples=tuple(Example(each.key, (), each.group) for each in documents),
        streams={s: tuple(i for i, each in enumerate(documents) if each.stream == s) for s in streams},
        load=load,
        texts=True,
    )
    return divided(splits, options.split, seed, options.kind)
