"""Building blocks of a page: tables, labelled lines, lines that are never broken, layouts that fit."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ftcli.report.style import QUIET, STRONG

_BOUNDLESS = 10_000


class FirstThatFits:
    """The first of several layouts that the console is wide enough for; the last when none is."""

    def __init__(self, *layouts: RenderableType) -> None:
        self.layouts = layouts

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        unbounded = options.update(width=_BOUNDLESS)
        for layout in self.layouts[:-1]:
            if Measurement.get(console, unbounded, layout).maximum <= options.max_width:
                yield layout
                return
        yield self.layouts[-1]


def table(*, footer: bool = False) -> Table:
    """A table with a line below its header, and one above its footer; columns two spaces apart."""
    return Table(
        box=box.SIMPLE,
        show_edge=False,
        show_footer=footer,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style=STRONG,
        footer_style=STRONG,
        border_style=QUIET,
    )


def add_columns(to: Table, columns: Iterable[tuple[str, str]]) -> None:
    """Columns that are never wrapped; each is a header and `<` or `>` for its side."""
    for header, side in columns:
        to.add_column(Text(header), justify="right" if side == ">" else "left", no_wrap=True)


def labelled(lines: Iterable[tuple[str, RenderableType]]) -> Table:
    """Labels on the left, text on the right that wraps under itself."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style=QUIET, no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in lines:
        grid.add_row(Text(f"  {label}"), text)
    return grid


def unbroken(text: Text) -> Text:
    """A line that keeps its length whatever the width, so that it can be copied. See `console.show`."""
    text.no_wrap = True
    text.overflow = "ignore"
    return text


def heading(text: str) -> Text:
    return Text(text, style=STRONG)
