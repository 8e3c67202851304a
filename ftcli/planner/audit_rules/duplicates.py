"""One picture or text twice: in two streams, in one, or under two labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ftcli.findings import Finding, Severity
from ftcli.planner.audit_rules.seen import Seen, fix_split, number, some_pairs
from ftcli.plans.audit import Pair, PairKind

_WORDS: dict[PairKind, str] = {"exact": "duplicate", "near": "near duplicate"}
_ACROSS: dict[PairKind, str] = {"exact": "duplicate-across-splits", "near": "near-duplicate-across-splits"}
_WITHIN: dict[PairKind, str] = {"exact": "duplicate-within-split", "near": "near-duplicate-within-split"}


def across_splits(seen: Seen) -> Iterator[Finding]:
    for kind, word in _WORDS.items():
        crossing = [pair for pair in seen.pairs if pair.kind == kind and pair.crosses]
        for streams in dict.fromkeys(pair.streams for pair in crossing):
            pairs = [pair for pair in crossing if pair.streams == streams]
            what = f"{number(len(pairs), f'{word} pair')} in {' and '.join(streams)}: {some_pairs(pairs)}"
            remedy = f"write a split without leaks: {fix_split(seen)}"
            yield Finding(_gravity(kind, streams), "-".join(streams), what, remedy, _ACROSS[kind])


def within_split(seen: Seen) -> Iterator[Finding]:
    """Harmless to the score; such images weigh double."""
    for kind, word in _WORDS.items():
        inside = [pair for pair in seen.pairs if pair.kind == kind and not pair.crosses]
        for stream in dict.fromkeys(pair.streams[0] for pair in inside):
            pairs = [pair for pair in inside if pair.streams[0] == stream]
            what = f"{number(len(pairs), f'{word} pair')} within {stream}: {some_pairs(pairs)}"
            remedy = "keep one of each, unless they are meant to weigh double"
            yield Finding("info", stream, what, remedy, _WITHIN[kind])


def two_labels(seen: Seen) -> Iterator[Finding]:
    pairs = [pair for pair in seen.pairs if pair.labels[0] != pair.labels[1]]
    exact = [pair for pair in pairs if pair.kind == "exact"]
    near = [pair for pair in pairs if pair.kind == "near"]
    remedy = "decide which label is right, and remove the other file"
    if exact:
        what = f"{number(len(exact), seen.noun)} under two labels: {_with_labels(exact)}"
        either = f"{remedy}; --fix-split leaves out both"
        yield Finding("error", "labels", what, either, "same-image-two-labels")
    if near:
        what = f"{number(len(near), 'near duplicate pair')} under two labels: {_with_labels(near)}"
        yield Finding("warning", "labels", what, remedy, "near-duplicate-two-labels")


def _gravity(kind: PairKind, streams: tuple[str, str]) -> Severity:
    """What touches the test images makes the test score untrue; near copies of validation only flatter a choice."""
    return "error" if kind == "exact" or "test" in streams else "warning"


def _with_labels(pairs: Sequence[Pair]) -> str:
    pair = pairs[0]
    more = f", and {len(pairs) - 1:,} more" if len(pairs) > 1 else ""
    return f"{pair.first_key} ({pair.labels[0]}) = {pair.second_key} ({pair.labels[1]}){more}"


RULES = (across_splits, within_split, two_labels)
