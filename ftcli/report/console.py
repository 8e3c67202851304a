"""Where things are shown: a console on a stream, and the one way to print on it."""

from __future__ import annotations

from io import TextIOWrapper
from typing import IO

from rich.console import Console, Group, RenderableType


def console_for(stream: IO[str]) -> Console:
    """A console on `stream`: colours on a terminal (unless NO_COLOR is set), plain lines everywhere else."""
    if isinstance(stream, TextIOWrapper):  # a name that the stream cannot encode is no reason to stop
        stream.reconfigure(errors="backslashreplace")
    on_terminal = stream.isatty()
    return Console(
        file=stream, force_terminal=on_terminal, markup=False, emoji=False, highlight=False, soft_wrap=False
    )


def show(console: Console, *views: RenderableType) -> None:
    """Print with nothing cut off: paths and commands keep their length, tables fit the width by themselves.

    Off a terminal no line ends in the spaces that rich fills its tables with.
    """
    page = Group(*views)
    if console.is_terminal:
        console.print(page, crop=False)
        return
    with console.capture() as captured:
        console.print(page, crop=False)
    console.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
