"""Verdicts on what is frozen and what trains: findings, from the facts of a plan's phase or of a living model.

Every rule is a function from FreezeFacts to at most a few findings; it never sees where the facts are from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ftcli.findings import Finding
from ftcli.planner.verdicts import head, membership, modes, rates
from ftcli.plans.freeze_facts import FreezeFacts

_RULES = (*membership.RULES, *modes.RULES, *rates.RULES, *head.RULES)


def verdicts(facts: FreezeFacts) -> tuple[Finding, ...]:
    """Every finding on one phase, the optimizer's first."""
    return tuple(finding for rule in _RULES for finding in rule(facts))


def verdicts_of_phases(phases: Sequence[FreezeFacts]) -> tuple[Finding, ...]:
    """Findings on every phase, each once: `where` names the phases of those that are not in all of them."""
    seen: dict[Finding, list[str]] = {}
    for facts in phases:
        for finding in verdicts(facts):
            seen.setdefault(finding, []).append(facts.phase)
    return tuple(
        finding
        if len(names) == len(phases)
        else replace(finding, where=f"{finding.where} in {_phases(names)}")
        for finding, names in seen.items()
    )


def _phases(names: Sequence[str]) -> str:
    return f"phase{'s' if len(names) > 1 else ''} {', '.join(names)}"
