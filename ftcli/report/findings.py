"""Findings, from whatever noticed them, shown one way."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ftcli.findings import Finding, Severity
from ftcli.report.errors import printable
from ftcli.report.layout import heading
from ftcli.report.safe_text import plain
from ftcli.report.style import BAD, CAUTION, QUIET, STRONG

STYLES: dict[Severity, str] = {"error": BAD, "warning": CAUTION, "info": QUIET}
_ORDER: tuple[Severity, ...] = ("error", "warning", "info")


def findings_view(findings: Iterable[Finding]) -> RenderableType:
    """The gravest first; nothing at all when there are none."""
    ordered = sorted(findings, key=lambda finding: _ORDER.index(finding.severity))
    if not ordered:
        return Group()
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for finding in ordered:
        grid.add_row(Text(f"  {finding.severity}", style=STYLES[finding.severity]), _told(finding))
    return Group(Text(""), heading("Findings"), grid)


def finding_line(finding: Finding) -> str:
    """The same on one line."""
    remedy = f" - {finding.remedy}" if finding.remedy else ""
    return printable(f"{finding.severity}: {finding.where}: {finding.message}{remedy}")


def _told(finding: Finding) -> Text:
    told = Text.assemble(plain(finding.where, STRONG), ": ", plain(finding.message))
    if finding.rule:
        told.append(f" [{finding.rule}]", QUIET)
    if finding.remedy:
        told.append("\n").append_text(plain(finding.remedy, QUIET))
    return told
