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

WIDTH = 36
UNITS = ("KiB", "MiB", "GiB", "TiB")
COLUMNS = [("kind", "<"), ("size", ">"), ("entries", ">"), ("last used", "<")]


def cache_view(listing: CacheListing) -> RenderableType:
    """The last used first; below it how much there is, and how much there may be."""
    bound = f"at most {size(listing.max_bytes)}" if listing.max_bytes else "off: FTCLI_CACHE_GB is 0"
    total = plain(f"{size(listing.bytes)} in {listing.folder} ({bound})")
    return Group(_table(listing.items), Text(), total) if listing.items else total


def to_clear_view(items: Sequence[CachedItem]) -> RenderableType:
    return _table(items)


def cleared_line(cleared: Cleared) -> RenderableType:
    kept = f"; {_entries(len(cleared.kept))} in use stayed" if cleared.kept else ""
    return plain(f"removed {_entries(len(cleared.removed))}, {size(cleared.bytes)}{kept}")


def size(count: float) -> str:
    """1536 -> "1.5 KiB"."""
    if count < 1024:
        return f"{count} B"
    units = 0
    while count >= 1023.95 and units < len(UNITS):
        count, units = count / 1024, units + 1
    return f"{count:,.1f} {UNITS[units - 1]}"


def _table(items: Sequence[CachedItem]) -> RenderableType:
    shown = table()
    add_columns(shown, [("what", "<"), *COLUMNS])
    for item in items:
        used = item.used[:16].replace("T", " ")
        entries = numbers.count(item.entries)
        shown.add_row(plain(shorten(item.what, WIDTH)), item.kind, size(item.bytes), entries, used)
    return shown


def _entries(count: int) -> str:
    return f"{numbers.count(count)} {'entry' if count == 1 else 'entries'}"
