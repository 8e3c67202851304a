"""Regular expressions in a recipe that find a part of a name."""

from __future__ import annotations

import re


def with_one_group(pattern: str) -> str:
    """The pattern itself. Raises ValueError for what is none, or does not mark one part."""
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    if groups != 1:
        raise ValueError(f"one pair of parentheses marks the group, as in patient(\\d+); here are {groups}")
    return pattern
