"""An audit as one HTML file: findings, and the pairs side by side. It needs no network and no other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from ftcli.findings import Finding, Severity
from ftcli.plans.audit import AuditReport, Pair
from ftcli.report.audit_style import STYLE
from ftcli.report.errors import printable

if TYPE_CHECKING:
    from PIL.Image import Image

MOST = 200
"""Pairs that are shown, worst first."""
SIDE = 160
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_ORDER: tuple[Severity, ...] = ("error", "warning", "info")
_KINDS = {"exact": "exact copy", "near": "near copy"}
_MANY_KINDS = {"exact": "exact copies", "near": "near copies"}


def audit_html(report: AuditReport, load: Callable[[int], Image]) -> str:
    """The page. `load` opens an example's image by its index; of one that cannot be opened this is said."""
    streams = ", ".join(f"{count:,} {_safe(stream)}" for stream, count in report.streams.items())
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Audit of {_safe(report.source)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>",
        f"<h1>Audit of {_safe(report.source)}</h1>",
        f"<p>{streams}; {len(report.classes)} classes</p>",
        _findings(report.findings),
        _counts(report),
        _not_checked(report),
        _pairs(report.pairs, load),
        "</main>\n</body>\n</html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _findings(findings: Sequence[Finding]) -> str:
    if not findings:
        return "<p>Nothing found: the splits are apart.</p>"
    ordered = sorted(findings, key=lambda finding: _ORDER.index(finding.severity))
    rows = (
        f'<tr><td class="{finding.severity}">{finding.severity}</td><th scope="row">{_safe(finding.where)}</th>'
        f"<td>{_safe(finding.message)} {_rule(finding)}"
        f'<p class="quiet">{_safe(finding.remedy)}</p></td></tr>'
        for finding in ordered
    )
    return _table("Findings", ("how bad", "where", "what, and what to do"), rows)


def _rule(finding: Finding) -> str:
    return f"<code>{_safe(finding.rule)}</code>" if finding.rule else ""


def _counts(report: AuditReport) -> str:
    rows = [
        f'<tr><th scope="row">{_MANY_KINDS[kind]}</th><td>{_safe(where)}</td><td class="number">{count:,}</td></tr>'
        for kind, counts in report.counts().items()
        for where, count in counts.items()
    ]
    return _table("Copies", ("pairs of", "where", "how many"), rows) if rows else ""


def _not_checked(report: AuditReport) -> str:
    rows = [
        f'<tr><th scope="row">{_safe(each.what)}</th><td>{_safe(each.why)}</td></tr>'
        for each in report.not_checked
    ]
    return _table("Not checked", ("what", "why"), rows) if rows else ""


def _table(title: str, columns: Iterable[str], rows: Iterable[str]) -> str:
    """A heading, and below it a table that it names."""
    name = title.lower().replace(" ", "-")
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    return (
        f'<h2 id="{name}">{title}</h2>\n<table class="{name}" aria-labelledby="{name}">\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n" + "\n".join(rows) + "\n</tbody>\n</table>"
    )


def _pairs(pairs: Sequence[Pair], load: Callable[[int], Image]) -> str:
    if not pairs:
        return ""
    count = f"{len(pairs):,}" if len(pairs) <= MOST else f"the worst {MOST} of {len(pairs):,}"
    shown = "\n".join(_pair(pair, load) for pair in pairs[:MOST])
    return f'<h2>Pairs: {count}</h2>\n<ol class="pairs">\n{shown}\n</ol>'


def _pair(pair: Pair, load: Callable[[int], Image]) -> str:
    sides = "".join(
        f"<figure>{_image(index, key, load)}<figcaption>{_safe(stream)} &middot; <b>{_safe(label)}</b><br>"
        f"{_safe(key)}</figcaption></figure>"
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
    told = f"<h3>{_KINDS[pair.kind]}: {_safe(pair.how)}{doubt}</h3>"
    return f'<li class="pair">{told}<div class="sides">{sides}</div></li>'


def _image(index: int, key: str, load: Callable[[int], Image]) -> str:
    from ftcli.components.data.image import to_rgb
    from ftcli.errors import DataError

    try:
        small = to_rgb(load(index))
    except DataError:
        return '<p class="gone">cannot be opened</p>'
    small.thumbnail((SIDE, SIDE))
    packed = io.BytesIO()
    small.save(packed, "JPEG", quality=80)
    code = base64.b64encode(packed.getvalue()).decode("ascii")
    return f'<img alt="{_safe(key)}" src="data:image/jpeg;base64,{code}">'


def _safe(text: str) -> str:
    return escape(printable(text), quote=True)
