"""Findings as a table, the worst first; on a telephone each is a block."""

from __future__ import annotations

from collections.abc import Sequence

from ftcli.findings import Finding, Severity
from ftcli.report.html.pieces import table
from ftcli.report.html.text import safe

_ORDER: tuple[Severity, ...] = ("error", "warning", "info")
_MOST = 200


def findings_table(findings: Sequence[Finding], caption: str) -> str:
    ordered = sorted(findings, key=lambda finding: _ORDER.index(finding.severity))
    shown = ordered[:_MOST]
    more = f", the worst {_MOST} of {len(ordered):,}" if len(ordered) > _MOST else ""
    rows = (
        f'<tr><td class="{finding.severity}">{finding.severity}</td><th scope="row">{safe(finding.where)}</th>'
        f"<td>{safe(finding.message)} {_rule(finding)}"
        f'<p class="quiet">{safe(finding.remedy)}</p></td></tr>'
        for finding in shown
    )
    return table(f"{caption}{more}", ("how bad", "where", "what, and what to do"), rows, "findings")


def _rule(finding: Finding) -> str:
    return f"<code>{safe(finding.rule)}</code>" if finding.rule else ""
