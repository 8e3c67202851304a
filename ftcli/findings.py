"""The one noun of advice, audits and monitors: what was noticed, where, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """`where` is a stage, a recipe path or a file; `remedy` says what to change.

    `rule` names the check that found it, where there is one: "frozen-bn-drifts". It never changes its meaning, so
    that scripts can tell findings apart.
    """

    severity: Severity
    where: str
    message: str
    remedy: str
    rule: str = ""
