"""An audit as one HTML file: findings, and the pairs side by side. It needs no network and no other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

from ftcli.findings import Finding
from ftcli.plans.audit import AuditReport, Pair
from ftcli.report.errors import printable

if TYPE_CHECKING:
    from PIL.Image import Image

MOST = 200
"""Pairs that are shown, worst first."""
SIDE = 160
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --bad: #b3261e; --caution: #a05a00; }
@media (prefers-color-scheme: dark) { :root { --bad: #ff8a80; --caution: #ffb74d; } }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem;
  background: Canvas; color: CanvasText; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; } td, th { padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
.error { color: var(--bad); font-weight: 600; } .warning { color: var(--caution); } small { opacity: .75; }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(22rem, 1fr)); gap: 1rem; }
.pair { border: 1px solid var(--line); border-radius: .5rem; padding: .7rem; }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: .7rem; } figure { margin: 0; }
img { width: 100%; aspect-ratio: 1; object-fit: contain; background: #8882; image-rendering: auto; }
figcaption { font-size: .8rem; overflow-wrap: anywhere; }
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def audit_html(report: AuditReport, load: Callable[[int], Image]) -> str:
    """The page. `load` opens an example's image by its index; one that cannot be opened is left out."""
    streams = ", ".join(f"{count:,} {_safe(stream)}" for stream, count in report.streams.items())
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Audit of {_safe(report.source)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>Audit of {_safe(report.source)}</h1>",
        f"<p>{streams}; {len(report.classes)} classes</p>",
        _findings(report.findings),
        _pairs(report.pairs, load),
        "</body></html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _findings(findings: Sequence[Finding]) -> str:
    if not findings:
        return "<p>Nothing found: the splits are apart.</p>"
    rows = "".join(
        f'<tr><td class="{finding.severity}">{finding.severity}</td><td>{_safe(finding.where)}</td>'
        f"<td>{_safe(finding.message)}<br><small>{_safe(finding.remedy)}</small></td></tr>"
        for finding in findings
    )
    return f"<h2>Findings</h2><table>{rows}</table>"


def _pairs(pairs: Sequence[Pair], load: Callable[[int], Image]) -> str:
    if not pairs:
        return ""
    count = f"{len(pairs):,}" if len(pairs) <= MOST else f"the worst {MOST} of {len(pairs):,}"
    shown = "\n".join(_pair(pair, load) for pair in pairs[:MOST])
    return f'<h2>Pairs: {count}</h2><div class="pairs">{shown}</div>'


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
    kind = "exact copy" if pair.kind == "exact" else "near copy"
    return f'<div class="pair"><div class="sides">{sides}</div><small>{kind}: {_safe(pair.how)}</small></div>'


def _image(index: int, key: str, load: Callable[[int], Image]) -> str:
    from ftcli.components.data.image import to_rgb
    from ftcli.errors import DataError

    try:
        small = to_rgb(load(index))
    except DataError:
        return ""
    small.thumbnail((SIDE, SIDE))
    packed = io.BytesIO()
    small.save(packed, "JPEG", quality=80)
    code = base64.b64encode(packed.getvalue()).decode("ascii")
    return f'<img alt="{_safe(key)}" src="data:image/jpeg;base64,{code}">'


def _safe(text: str) -> str:
    return escape(printable(text), quote=True)
