"""Pages written when a run or a study is done; one that cannot be is told, and loses nothing."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftcli.errors import FtcliError
from ftcli.events import Event, Listener, Noticed, RunDone
from ftcli.findings import Finding

if TYPE_CHECKING:
    from ftcli.workflows.compare.comparison import Comparison


def reporting(listener: Listener) -> Listener:
    """The listener, and when a run is done its page, before the listener is told so.

    A page that cannot be written is told, and is no reason to lose the run.
    """

    def listen(event: Event) -> None:
        if isinstance(event, RunDone):
            done, run = event, Path(event.run)
            _attempt(lambda write: write.write_report(run, image=done.image), [run], listener)
        listener(event)

    return listen


def study_done(found: Comparison, page: Path, listener: Listener) -> None:
    """The page of a study; nothing where no run is complete."""
    runs = [Path(each.outcome.run) for each in found.runs if each.outcome is not None]
    if runs:
        _attempt(lambda write: write.write_study(runs, page, found), runs, listener)


def _attempt(do: Callable[[Any], object], runs: Sequence[Path], listener: Listener) -> None:
    from ftcli.report.html import write

    try:
        do(write)
    except FtcliError as error:
        what, where = error.what, error.where
    except Exception as error:  # a bug in a picture of the run is none of the run's
        what, where = f"{type(error).__name__}: {error}", None
    else:
        return
    told = "the run is complete and kept, but its" if len(runs) == 1 else "the runs are kept, but their"
    message = f"{told} report is not written: {what}"
    remedy = f"when that is mended: {shlex.join(['ftcli', 'report', *map(str, runs)])}"
    listener(Noticed(Finding("warning", where or str(runs[0]), message, remedy, "report-not-written")))
