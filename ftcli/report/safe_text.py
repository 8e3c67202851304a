"""Text from elsewhere (names of classes, files, stages) made safe to show: no markup, no control codes."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from ftcli.report.errors import printable


def plain(text: str, style: str = "") -> Text:
    """Text for a cell or a line; brackets in it are brackets."""
    return Text(printable(text), style=style)


def shorten(text: str, width: int) -> str:
    """At most `width` characters; both ends are kept, for names differ there."""
    text = printable(text)
    if len(text) <= width:
        return text
    tail = (width - 2) // 2
    return f"{text[: width - 2 - tail]}..{text[len(text) - tail :]}"


def listed(names: Sequence[str], width: int) -> str:
    """As many of the names as fit into `width` characters, at least one, and how many more there are."""
    shown = [printable(names[0])]
    for name in names[1:]:
        shown.append(printable(name))
        if len(", ".join(shown)) > width:
            shown.pop()
            return f"{', '.join(shown)} and {len(names) - len(shown):,} more"
    return ", ".join(shown)
