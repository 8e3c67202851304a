"""What of a task's texts deserves a word: ends that the network never sees, and texts that say nothing."""

from __future__ import annotations

from collections.abc import Iterator

from ftcli.findings import Finding
from ftcli.plans.text_facts import TextFacts

MUCH_LOST = 0.05
"""The share of all tokens from which what is cut off is a warning."""


def text_findings(facts: TextFacts, most: int | None = None) -> tuple[Finding, ...]:
    """`most`: tokens that the network could take; None where there is no end."""
    return (*_cut(facts, most), *_empty(facts))


def _cut(facts: TextFacts, most: int | None) -> Iterator[Finding]:
    if not facts.cut:
        return
    share = facts.lost / facts.tokens
    message = (
        f"{facts.cut:,} of {facts.texts:,} texts ({facts.cut / facts.texts:.1%}) are longer than {facts.max_length} "
        f"tokens: {share:.1%} of all tokens are cut off"
    )
    room = most is None or most > facts.max_length
    longer = f"raise data.max_length (the longest text has {facts.longest:,} tokens)"
    remedy = longer if room else "divide long texts into several examples: the network takes no more"
    severity = "warning" if share >= MUCH_LOST else "info"
    yield Finding(severity, "data.max_length", message, remedy, "texts-cut-off")  # type: ignore[arg-type]


def _empty(facts: TextFacts) -> Iterator[Finding]:
    if facts.empty:
        count = (
            f"{len(facts.empty):,} of {facts.texts:,} texts {'is' if len(facts.empty) == 1 else 'are'} empty"
        )
        message = f"{count}: nothing but the label can be learned of them, {facts.empty[0]!r} first"
        yield Finding("warning", "data", message, "remove these examples from the data", "empty-texts")
