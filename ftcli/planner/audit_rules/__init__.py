"""Rules over the facts of a data set: each is a function from what the audit saw to at most a few findings.

Severity `error` is for what makes the test score untrue, or cannot be trained on at all.
"""

from __future__ import annotations

from ftcli.findings import Finding
from ftcli.planner.audit_rules import balance, duplicates, images, names, shift, ties
from ftcli.planner.audit_rules.seen import Seen
from ftcli.planner.audit_rules.unchecked import not_checked

_RULES = (*duplicates.RULES, *ties.RULES, *names.RULES, *balance.RULES, *images.RULES, *shift.RULES)


def audit_findings(seen: Seen) -> tuple[Finding, ...]:
    """Every finding; leaks first."""
    return tuple(finding for rule in _RULES for finding in rule(seen))


__all__ = ["Seen", "audit_findings", "not_checked"]
