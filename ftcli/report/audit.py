"""What an audit found, as a page for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from ftcli.plans.audit import AuditReport, NotChecked, Pair
from ftcli.report import numbers
from ftcli.report.findings import findings_view
from ftcli.report.layout import add_columns, heading, labelled, table, unbroken
from ftcli.report.safe_text import plain, shorten
from ftcli.report.style import GOOD, QUIET

if TYPE_CHECKING:
    from ftcli.workflows.audit_split import Mended

WORST = 10
_KEY = 22
_FEW = 3
_WORDS = {"exact": "exact copies", "near": "near copies"}


def audit_page(report: AuditReport) -> RenderableType:
    """What was looked at, how many pairs of which kind, the worst of them, and the findings. Fits 80 columns."""
    return Group(
        _header(report),
        _kinds(report),
        _worst(report.pairs),
        _verdict(report),
        _not_checked(report.not_checked),
    )


def audit_json(report: AuditReport, mended: Mended | None = None) -> dict[str, Any]:
    """One object; `fixed_split` is there when one was written."""
    return {**report.to_dict(), **({"fixed_split": mended.to_dict()} if mended else {})}


def written_page(html: Path | None, mended: Mended | None) -> RenderableType:
    """Which files were written, and what is to be known of them."""
    page = [Text(), unbroken(plain(f"pairs side by side: {html}"))] if html else []
    return Group(*page, *([_mended(mended)] if mended else []))


def _mended(mended: Mended) -> RenderableType:
    """What was written, and what is wrong with it still."""
    counts = ", ".join(f"{numbers.count(n)} {stream}" for stream, n in mended.report.streams.items())
    changes = f"{numbers.count(mended.moved)} moved, {numbers.count(len(mended.left_out))} left out"
    lines = [
        Text(),
        heading("The split that was written"),
        unbroken(plain(f"  {mended.file}: {counts}; {changes}")),
        *(unbroken(plain(f"  {line}", QUIET)) for line in _left_out(mended)),
        unbroken(plain(f"  to train with it: --set data.split.file={mended.file}")),
    ]
    if mended.remains:
        return Group(
            *lines, Text("  audited as it was written, this remains:"), findings_view(mended.remains)
        )
    return Group(*lines, Text("  audited as it was written: no error and no warning remains", style=GOOD))


def _left_out(mended: Mended) -> list[str]:
    shown = [f"left out: {key}: {why}" for key, why in list(mended.left_out.items())[:_FEW]]
    more = len(mended.left_out) - len(shown)
    return [*shown, f"and {numbers.count(more)} more, told in the file"] if more > 0 else shown


def _header(report: AuditReport) -> RenderableType:
    counts = ", ".join(f"{numbers.count(count)} {stream}" for stream, count in report.streams.items())
    told = Text.assemble("  ", counts, f"; {what_is_audited(report)}", style=QUIET)
    return Group(Text.assemble(heading("Audit of "), plain(report.source)), told)


def what_is_audited(report: AuditReport) -> str:
    """ "2 classes", "texts of 2 classes of 3 to 14 words, half of them of 8 or more", "documents of 60 to 83 words"."""
    classes = f"{len(report.classes)} classes"
    if report.noun == "image":
        return classes
    words = sorted(facts.words for facts in report.facts if facts.error is None)
    of_words = (
        f", {words[0]:,} to {words[-1]:,} words each, {words[len(words) // 2]:,} in the middle"
        if words
        else ""
    )
    return f"{report.noun}s{f' of {classes}' if report.classes else ''}{of_words}"


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


def _not_checked(lines: Sequence[NotChecked]) -> RenderableType:
    if not lines:
        return Group()
    told = labelled((line.what, plain(line.why, QUIET)) for line in lines)
    return Group(Text(), heading("Not checked"), told)
