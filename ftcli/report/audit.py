"""What an audit found, as a page for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ftcli.plans.audit import AuditReport, Pair
from ftcli.report import numbers
from ftcli.report.findings import findings_view
from ftcli.report.layout import add_columns, heading, table
from ftcli.report.safe_text import plain, shorten
from ftcli.report.style import GOOD, QUIET

WORST = 10
_KEY = 22
_WORDS = {"exact": "exact copies", "near": "near copies"}


def audit_page(report: AuditReport) -> RenderableType:
    """What was looked at, how many pairs of which kind, the worst of them, and the findings. Fits 80 columns."""
    return Group(_header(report), _kinds(report), _worst(report.pairs), _verdict(report))


def audit_json(report: AuditReport) -> dict[str, Any]:
    return report.to_dict()


def _header(report: AuditReport) -> RenderableType:
    counts = ", ".join(f"{numbers.count(count)} {stream}" for stream, count in report.streams.items())
    told = Text.assemble("  ", counts, f"; {len(report.classes)} classes", style=QUIET)
    return Group(Text.assemble(heading("Audit of "), plain(report.source)), told)


def _kinds(report: AuditReport) -> RenderableType:
    found = [(kind, where, n) for kind, counts in report.counts().items() for where, n in counts.items()]
    if not found:
        return Group()
    kinds = table()
    add_columns(kinds, [("pairs of", "<"), ("where", "<"), ("how many", ">")])
    for kind, where, number in found:
        kinds.add_row(_WORDS[kind], plain(where), numbers.count(number))
    return Group(Text(), kinds)


def _worst(pairs: Sequence[Pair]) -> RenderableType:
    if not pairs:
        return Group()
    shown = table()
    add_columns(shown, [("the worst pairs", "<"), ("", "<"), ("where", "<")])
    shown.add_column(Text("how"), overflow="fold")
    for pair in pairs[:WORST]:
        first, second = (plain(shorten(key, _KEY)) for key in (pair.first_key, pair.second_key))
        shown.add_row(first, second, plain("-".join(dict.fromkeys(pair.streams))), plain(_how(pair)))
    more = len(pairs) - WORST
    rest = Text(f"  and {numbers.count(more)} more; --html FILE shows them side by side", style=QUIET)
    return Group(Text(), shown, rest if more > 0 else Group())


def _how(pair: Pair) -> str:
    one, other = pair.labels
    return pair.how if one == other else f"{pair.how}; {shorten(one, 12)} or {shorten(other, 12)}?"


def _verdict(report: AuditReport) -> RenderableType:
    if not report.findings:
        return Group(Text(), Text("nothing found: the splits are apart", style=GOOD))
    return findings_view(report.findings)
