"""Listeners: a run on a terminal, and in a pipe. Neither slows it down, and neither can stop it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Protocol

from rich.console import Console, RenderableType
from rich.live import Live

from ftcli.events import Event, Listener, StepDone
from ftcli.report.console import console_for, show
from ftcli.report.html.when_done import reporting
from ftcli.report.narrator import Narrator
from ftcli.report.progress import Footer

_REFRESHES_PER_SECOND = 4


class Tells(Protocol):
    """What makes lines of events; for a pipe where there is no footer."""

    def __call__(self, *, in_pipe: bool) -> Teller: ...


class Teller(Protocol):
    def told(self, event: Event) -> Iterable[RenderableType]: ...


@contextmanager
def listener_for(
    console: Console | None = None, *, as_json: bool = False, tells: Tells = Narrator
) -> Iterator[Listener]:
    """The listener that suits where `console` (default: on stderr) writes; of a run that is done it writes the page.

    `as_json`: plain lines even on a terminal, for a program reads the result.
    """
    console = console or console_for(sys.stderr)
    if console.file.isatty() and not console.is_dumb_terminal and not as_json:
        with terminal_listener(console, tells) as listener:
            yield reporting(listener)
    else:
        yield reporting(plain_listener(console.file, tells))


@contextmanager
def terminal_listener(console: Console, tells: Tells = Narrator) -> Iterator[Listener]:
    """Lines that stay, above a footer that is redrawn four times a second and vanishes at the end.

    Leaving the context, by an exception too, gives the cursor back.
    """
    narrator, footer = tells(in_pipe=False), Footer()
    live = Live(
        footer,
        console=console,
        refresh_per_second=_REFRESHES_PER_SECOND,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
        redirect_stderr=sys.stderr.isatty(),
    )

    def listen(event: Event) -> None:
        footer.see(event)
        lines = () if isinstance(event, StepDone) else tuple(narrator.told(event))
        if lines:  # to print nothing would redraw the footer, once for every image
            show(console, *lines)

    with live:
        yield listen


def plain_listener(stream: IO[str], tells: Tells = Narrator) -> Listener:
    """Whole lines without control codes, each written out at once."""
    narrator, console = tells(in_pipe=True), console_for(stream)
    gone = False

    def listen(event: Event) -> None:
        nonlocal gone
        if gone or isinstance(event, StepDone):
            return
        try:
            show(console, *narrator.told(event))
            stream.flush()
        except OSError:  # nobody reads any more, which is no reason to end a training
            gone = True

    return listen
