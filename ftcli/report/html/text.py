"""Text from elsewhere in a page: names of files and classes, messages. What is not shown is escaped twice over:

as HTML, and what a terminal or a line of text would obey (control codes, marks that turn the direction) as an escape.
"""

from __future__ import annotations

from html import escape

from ftcli.report.errors import printable
from ftcli.report.safe_text import shorten

LONGEST = 60


def safe(text: object) -> str:
    """For an attribute, or between tags."""
    return escape(printable(str(text)), quote=True)


def foreign(text: str, width: int = LONGEST) -> str:
    """A name that somebody else gave, on its own: its direction is its own too. A long one keeps both ends."""
    shown = shorten(text, width)
    if shown == printable(text):
        return f"<bdi>{safe(text)}</bdi>"
    return f'<bdi title="{safe(text)}">{safe(shown)}</bdi>'
