"""How a network declares its depth, and the groups of parameters that follow from it.

The declaration is timm's `group_matcher`: patterns over parameter names, from the input to the output. The
text that a pattern matched names the group. What matches no pattern is for the caller to place.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

Patterns = str | Sequence[tuple[str, tuple[int, ...] | None]] | None
"""A regular expression for the beginning of a name, or several, each with a suffix to the group's key."""

Matcher = Mapping[str, Patterns] | Callable[[str], Any]
"""A word to its patterns; a name belongs to the first that matches. Or a function from a name to a key.

Groups are ordered by key: the word's place, the numbers that the pattern captured, the suffix.
"""

JOINS_PREVIOUS = (99999,)
"""The suffix (timm's) for what belongs to the group before it."""

_Key = tuple[float, ...]
_Match = Callable[[str], tuple[_Key, str] | None]
"""From a name to the key of its group and the text that says so; None where nothing matches."""


@dataclass(frozen=True)
class Depth:
    """`stages` is the coarse division of a network, `layers` the fine one (its blocks)."""

    stages: Matcher
    layers: Matcher


@dataclass(frozen=True)
class Groups:
    """Parameters in groups from the input to the output: group names, and the index of each name's group."""

    names: tuple[str, ...]
    index: Mapping[str, int]


def group(parameters: Iterable[str], matcher: Matcher) -> Groups:
    """The groups of the named parameters; those that no pattern matches are in none.

    A group is called by the text that most of its parameters matched, so a transition or downsampling that
    comes with a block does not rename it.
    """
    match = _by_function(matcher) if callable(matcher) else _by_patterns(matcher)
    found = {name: matched for name in parameters if (matched := match(name)) is not None}
    texts: dict[_Key, Counter[str]] = defaultdict(Counter)
    for key, text in found.values():
        texts[key][text] += 1
    names: list[str] = []
    index: dict[_Key, int] = {}
    for key in sorted(texts):
        if not names or key[-1:] != JOINS_PREVIOUS:
            names.append(texts[key].most_common(1)[0][0])
        index[key] = len(names) - 1
    return Groups(tuple(names), {name: index[key] for name, (key, _) in found.items()})


def _by_patterns(matcher: Mapping[str, Patterns]) -> _Match:
    rules = []
    for place, (word, patterns) in enumerate(matcher.items()):
        for pattern, suffix in [(patterns, None)] if isinstance(patterns, str) else patterns or ():
            rules.append((re.compile(pattern), place, word, suffix or ()))

    def match(name: str) -> tuple[_Key, str] | None:
        for pattern, place, word, suffix in rules:
            if found := pattern.match(name):
                numbers = tuple(float(number) for number in found.groups() if number is not None)
                text = found.group().rstrip(".") if numbers or suffix else word
                return (place, *numbers, *suffix), text
        return None

    return match


def _by_function(function: Callable[[str], Any]) -> _Match:
    def match(name: str) -> tuple[_Key, str] | None:
        found = function(name)
        key = tuple(found) if isinstance(found, Iterable) else (found,)
        if None in key or inf in key:
            return None
        block = re.match(r"[^.]+(\.\d+)?", name)  # the module's name, with its number where it has one
        return key, block.group() if block else name

    return match
