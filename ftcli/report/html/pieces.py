"""What every page is made of: the document around it, sections, tables, lists of terms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ftcli.report.html.text import safe

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
GENERATOR = '<meta name="generator" content="ftcli">'
"""By which a page of ours is known."""


def document(title: str, style: str, body: Iterable[str]) -> str:
    """A whole page; `title` is plain text, `body` HTML."""
    head = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        GENERATOR,
        f"<title>{safe(title)}</title>\n<style>{style}</style>\n</head>\n<body>",
    ]
    return "\n".join([*head, *(part for part in body if part), "</body>\n</html>\n"])


def section(name: str, title: str, *parts: str) -> str:
    """`name` is its place in the page; nothing where there is nothing to show."""
    shown = [part for part in parts if part]
    if not shown:
        return ""
    inner = "\n".join(shown)
    return f'<section aria-labelledby="{name}">\n<h2 id="{name}">{title}</h2>\n{inner}\n</section>'


def table(caption: str, columns: Sequence[str], rows: Iterable[str], kind: str = "") -> str:
    """`columns` are HTML; one that begins with `>` is of numbers. `rows` are those of `row`."""
    head = "".join(_column(column) for column in columns)
    return (
        f'<table class="{kind}">\n<caption>{caption}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n'
        + "\n".join(rows)
        + "\n</tbody>\n</table>"
    )


def row(header: str, cells: Iterable[str], columns: Sequence[str]) -> str:
    """`header` names the row. A cell of numbers, as its column says, is set to the right."""
    kinds = [' class="number"' if column.startswith(">") else "" for column in columns[1:]]
    told = "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, cells, strict=True))
    return f'<tr><th scope="row">{header}</th>{told}</tr>'


def wide(label: str, content: str) -> str:
    """What may be wider than the page: it is moved by itself, with the keyboard too."""
    return f'<div class="wide" role="region" aria-label="{label}" tabindex="0">\n{content}\n</div>'


def terms(pairs: Iterable[tuple[str, str]], kind: str = "") -> str:
    """A list of names and what they stand for; both are HTML."""
    told = "\n".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs)
    return f'<dl class="{kind}">\n{told}\n</dl>'


def note(text: str) -> str:
    """HTML, said quietly."""
    return f'<p class="quiet">{text}</p>'


def folded(summary: str, content: str) -> str:
    """Shown when it is asked for, and in print."""
    return f"<details>\n<summary>{summary}</summary>\n{content}\n</details>"


def _column(column: str) -> str:
    kind = ' class="number"' if column.startswith(">") else ""
    return f'<th scope="col"{kind}>{column.removeprefix(">")}</th>'
