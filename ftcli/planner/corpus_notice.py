"""What of a corpus deserves a word: ends that fill no sequence, empty documents, and no mark between them."""

from __future__ import annotations

from collections.abc import Iterator

from ftcli.findings import Finding
from ftcli.plans.corpus_facts import CorpusFacts

MUCH_LEFT = 0.05
"""The share of a stream from which what is left over is a warning."""


def corpus_findings(facts: CorpusFacts) -> tuple[Finding, ...]:
    return (*_left_over(facts), *_empty(facts), *_not_joined(facts))


def _left_over(facts: CorpusFacts) -> Iterator[Finding]:
    left = {stream: count for stream, count in facts.left_over.items() if count}
    if not left:
        return
    told = ", ".join(f"{count:,} of {facts.tokens[stream]:,} of {stream}" for stream, count in left.items())
    message = f"tokens at the end fill no sequence of {facts.sequence_length} and are left out: {told}"
    much = any(count >= MUCH_LEFT * facts.tokens[stream] for stream, count in left.items())
    remedy = "lower data.sequence_length, or give more text" if much else "nothing to do"
    yield Finding("warning" if much else "info", "data.sequence_length", message, remedy, "tokens-left-over")


def _empty(facts: CorpusFacts) -> Iterator[Finding]:
    if facts.empty:
        verb = "is" if len(facts.empty) == 1 else "are"
        message = (
            f"{len(facts.empty):,} of {facts.documents:,} documents {verb} empty, {facts.empty[0]!r} first"
        )
        yield Finding("warning", "data", message, "remove them from the data", "empty-texts")


def _not_joined(facts: CorpusFacts) -> Iterator[Finding]:
    if not facts.joined:
        message = (
            "the model names no end-of-text token that its tokenizer has: nothing stands between two documents, and "
            "what it generates has no end"
        )
        remedy = "set eos_token_id in the model's config.json"
        yield Finding("warning", "model.backbone", message, remedy, "no-end-of-text")
