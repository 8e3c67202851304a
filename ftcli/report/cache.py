"""What is kept on disk between runs, as a table and in a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from ftcli.report import numbers
from ftcli.report.layout import add_columns, table
from ftcli.report.safe_text import plain, shorten

if TYPE_CHECKING:
    from ftcli.workflows.cache import CachedItem, CacheListing, Cleared

WIDTH = 34
COLUMNS = [("kind", "<"), ("size", ">"), ("entries", ">"), ("last used", "<")]


def cache_view(listing: CacheListing) -> RenderableType:
    """The last used first; below it how much there is, and how much there may be."""
    bound = f"at most {numbers.size(listing.max_bytes)}" if listing.max_bytes else "off: FTCLI_CACHE_GB is 0"
    total = plain(f"{numbers.size(listing.bytes)} in {listing.folder} ({bound})")
    return Group(_table(listing.items), Text(), total) if listing.items else total


def to_clear_view(items: Sequence[CachedItem]) -> RenderableType:
    return _table(items)


def cleared_line(cleared: Cleared) -> RenderableType:
    kept = f"; {_entries(len(cleared.kept))} in use stayed" if cleared.kept else ""
    return plain(f"removed {_entries(len(cleared.removed))}, {numbers.size(cleared.bytes)}{kept}")


def _table(items: Sequence[CachedItem]) -> RenderableType:
    shown = table()
    add_columns(shown, [("what", "<"), *COLUMNS])
    for item in items:
        used = item.used[:10]
        entries = numbers.count(item.entries)
        shown.add_row(plain(shorten(item.what, WIDTH)), item.kind, numbers.size(item.bytes), entries, used)
    return shown


def _entries(count: int) -> str:
    return f"{numbers.count(count)} {'entry' if count == 1 else 'entries'}"
