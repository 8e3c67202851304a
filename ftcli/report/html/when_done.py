"""A listener that writes the page of a run when it is done."""

from __future__ import annotations

import shlex
from pathlib import Path

from ftcli.errors import FtcliError
from ftcli.events import Event, Listener, Noticed, RunDone
from ftcli.findings import Finding


def reporting(listener: Listener) -> Listener:
    """The listener, and when a run is done its page, before the listener is told so.

    A page that cannot be written is told, and is no reason to lose the run.
    """

    def listen(event: Event) -> None:
        if isinstance(event, RunDone):
            for finding in _written(event):
                listener(Noticed(finding))
        listener(event)

    return listen


def _written(done: RunDone) -> list[Finding]:
    from ftcli.report.html.write import write_report

    path = Path(done.run)
    try:
        write_report(path, image=done.image)
    except FtcliError as error:
        what, where = error.what, error.where
    except Exception as error:  # a bug in a picture of the run is none of the run's
        what, where = f"{type(error).__name__}: {error}", None
    else:
        return []
    message = f"the run is complete and kept, but its report is not written: {what}"
    remedy = f"when that is mended: {shlex.join(['ftcli', 'report', str(path)])}"
    return [Finding("warning", where or str(path), message, remedy, "report-not-written")]
