"""Rules over the facts of a data set: each is a function from what the audit saw to at most a few findings.

Severity `error` is for what makes the test score untrue, or cannot be trained on at all.
"""

from __future__ import annotations

from ftcli.findings import Finding
from ftcli.planner.audit_rules import balance, duplicates, images, names, shift, texts, ties
from ftcli.planner.audit_rules.seen import Seen
from ftcli.planner.audit_rules.unchecked import not_checked

_OF_TEXTS = (*duplicates.RULES, *ties.RULES, *balance.RULES, images.unreadable, *texts.RULES)
_RULES = (*duplicates.RULES, *ties.RULES, *names.RULES, *balance.RULES, *images.RULES, *shift.RULES)


def audit_findings(seen: Seen) -> tuple[Finding, ...]:
    """Every finding; leaks first."""
    rules = _OF_TEXTS if seen.splits.texts else _RULES
    return tuple(finding for rule in rules for finding in rule(seen))


__all__ = ["Seen", "audit_findings", "not_checked"]
