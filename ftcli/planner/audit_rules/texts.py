"""Texts that say nothing, and texts of which a network will see the beginning alone."""

from __future__ import annotations

from collections.abc import Iterator

from ftcli.findings import Finding
from ftcli.planner.audit_rules.seen import Seen, number, some

USUAL = 512
"""The most tokens that usual encoders take. A word is a token at least, so that this needs no tokenizer."""


def empty(seen: Seen) -> Iterator[Finding]:
    blank = [facts.index for facts in seen.facts if facts.blank and facts.error is None]
    if blank:
        verb = "is" if len(blank) == 1 else "are"
        keys = some(seen.splits.examples[index].key for index in blank)
        what = f"{number(len(blank), seen.noun)} {verb} empty: {keys}"
        yield Finding("warning", f"{seen.noun}s", what, "remove them from the data", "empty-texts")


def long(seen: Seen) -> Iterator[Finding]:
    """Of texts that are classified: documents of a corpus are not cut."""
    if not seen.splits.classes:
        return
    longer = [facts.words for facts in seen.facts if facts.words > USUAL]
    if longer:
        verb = "has" if len(longer) == 1 else "have"
        lost = sum(words - USUAL for words in longer) / sum(facts.words for facts in seen.facts)
        what = (
            f"{number(len(longer), seen.noun)} of {len(seen.facts):,} {verb} more than {USUAL} words, the longest "
            f"{max(longer):,}: of a network that takes {USUAL} tokens at least {lost:.1%} of all words are cut off"
        )
        remedy = (
            "divide them, or take a network that takes more (data.max_length); training counts the tokens"
        )
        yield Finding("info", "data.max_length", what, remedy, "texts-of-many-words")


RULES = (empty, long)
