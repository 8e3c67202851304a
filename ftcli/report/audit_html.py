"""An audit as one HTML file: findings, and the pairs side by side. It needs no network and no other file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ftcli.errors import DataError
from ftcli.findings import Finding
from ftcli.plans.audit import AuditReport, Pair
from ftcli.report.audit import what_is_audited
from ftcli.report.audit_style import PAIRS
from ftcli.report.html.findings_table import findings_table
from ftcli.report.html.pictures import gone, passage, picture
from ftcli.report.html.pieces import document, row, section, table
from ftcli.report.html.style import BASE
from ftcli.report.html.text import safe

if TYPE_CHECKING:
    from PIL.Image import Image

MOST = 200
"""Pairs that are shown, worst first."""
_KINDS = {"exact": "exact copy", "near": "near copy"}
_MANY_KINDS = {"exact": "exact copies", "near": "near copies"}


def audit_html(report: AuditReport, load: Callable[[int], Image | str]) -> str:
    """The page. `load` gives an example's image or text by its index; of one that cannot be opened this is said."""
    streams = ", ".join(f"{count:,} {safe(stream)}" for stream, count in report.streams.items())
    parts = [
        "<main>",
        f"<h1>Audit of {safe(report.source)}</h1>",
        f"<p>{streams}; {what_is_audited(report)}</p>",
        _findings(report.findings),
        _counts(report),
        _not_checked(report),
        _pairs(report.pairs, load),
        "</main>",
    ]
    return document(f"Audit of {report.source}", BASE + PAIRS, parts)


def _findings(findings: Sequence[Finding]) -> str:
    if not findings:
        return "<p>Nothing found: the splits are apart.</p>"
    return section("findings", "Findings", findings_table(findings, "The worst first"))


def _counts(report: AuditReport) -> str:
    columns = ("pairs of", "where", ">how many")
    rows = [
        row(_MANY_KINDS[kind], (safe(where), f"{count:,}"), columns)
        for kind, counts in report.counts().items()
        for where, count in counts.items()
    ]
    return section("copies", "Copies", table("By kind and splits", columns, rows) if rows else "")


def _not_checked(report: AuditReport) -> str:
    columns = ("what", "why")
    rows = [row(safe(each.what), (safe(each.why),), columns) for each in report.not_checked]
    return section(
        "not-checked", "Not checked", table("What the data do not tell", columns, rows) if rows else ""
    )


def _pairs(pairs: Sequence[Pair], load: Callable[[int], Image | str]) -> str:
    if not pairs:
        return ""
    count = f"{len(pairs):,}" if len(pairs) <= MOST else f"the worst {MOST} of {len(pairs):,}"
    shown = "\n".join(_pair(pair, load) for pair in pairs[:MOST])
    return section("pairs", f"Pairs: {count}", f'<ol class="pairs">\n{shown}\n</ol>')


def _pair(pair: Pair, load: Callable[[int], Image | str]) -> str:
    sides = "".join(
        f"<figure>{_image(index, key, load)}<figcaption>{safe(stream)} &middot; <b>{safe(label)}</b><br>"
        f"{safe(key)}</figcaption></figure>"
        for index, key, stream, label in zip(
            (pair.first, pair.second),
            (pair.first_key, pair.second_key),
            pair.streams,
            pair.labels,
            strict=True,
        )
    )
    one, other = pair.labels
    doubt = "" if one == other else ' &middot; <span class="caution">two labels</span>'
    told = f"<h3>{_KINDS[pair.kind]}: {safe(pair.how)}{doubt}</h3>"
    return f'<li class="pair">{told}<div class="sides">{sides}</div></li>'


def _image(index: int, key: str, load: Callable[[int], Image | str]) -> str:
    try:
        found = load(index)
    except DataError:
        return gone("cannot be opened")
    return passage(found) if isinstance(found, str) else picture(found, key)
