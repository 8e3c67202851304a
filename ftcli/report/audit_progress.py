"""How far an audit is: a bar on a terminal, and nothing at all in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from ftcli.events import Event, Listener
from ftcli.report.console import console_for
from ftcli.report.live import terminal_listener


@contextmanager
def audit_progress(console: Console | None = None, *, as_json: bool = False) -> Iterator[Listener]:
    """The listener for `console` (default: on stderr). `as_json`: silent, for a program reads the result."""
    console = console or console_for(sys.stderr)
    if as_json or not console.file.isatty() or console.is_dumb_terminal:
        yield _silent
        return
    with terminal_listener(console) as listener:
        yield listener


def _silent(event: Event) -> None:
    """An audit is short: its result is all that a log needs."""
