"""Images that are none, or say nothing."""

from __future__ import annotations

from collections.abc import Iterator

from ftcli.findings import Finding
from ftcli.planner.audit_rules.seen import Seen, number, some

SMALL = 8
"""The shorter side in pixels below which an image is tiny."""
FAINT = 8
"""The range of values, of 255, below which an image is blank."""


def unreadable(seen: Seen) -> Iterator[Finding]:
    broken = [facts for facts in seen.facts if facts.error is not None]
    if broken:
        keys = [f"{seen.splits.examples[facts.index].key} ({facts.error})" for facts in broken]
        what = f"{number(len(broken), seen.noun)} cannot be read: {some(keys)}"
        yield Finding("error", f"{seen.noun}s", what, "replace or remove these files", "unreadable-image")


def tiny(seen: Seen) -> Iterator[Finding]:
    readable = [facts for facts in seen.facts if facts.error is None]
    small = [facts.index for facts in readable if min(facts.width, facts.height) < SMALL]
    if small:
        what = f"{number(len(small), 'image')} narrower than {SMALL} pixels: {_named(seen, small)}"
        yield Finding("warning", "images", what, "look at them: icons, or cut wrongly", "tiny-image")


def blank(seen: Seen) -> Iterator[Finding]:
    readable = [facts for facts in seen.facts if facts.error is None]
    equal = [facts.index for facts in readable if facts.spread == 0]
    faint = [facts.index for facts in readable if 0 < facts.spread < FAINT]
    if equal:
        what = f"{number(len(equal), 'image')} of one colour all over: {_named(seen, equal)}"
        yield Finding("warning", "images", what, "remove them: they show nothing", "all-equal-image")
    if faint:
        what = f"{number(len(faint), 'image')} nearly blank: {_named(seen, faint)}"
        yield Finding(
            "warning", "images", what, "look at them, and remove those that show nothing", "blank-image"
        )


def _named(seen: Seen, indices: list[int]) -> str:
    return some(seen.splits.examples[index].key for index in indices)


RULES = (unreadable, tiny, blank)
