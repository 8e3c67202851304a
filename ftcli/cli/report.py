"""`ftcli report`: what a run came to, as one page that can be sent to somebody."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ftcli.cli.options import AsJson


def report(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="A run folder; several go side by side.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="The page; default RUN/report.html, of several ./report.html."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a run's page again, or one of several runs."""
    from ftcli.cli.output import only_the_result_on_stdout, print_json
    from ftcli.offline import go_offline
    from ftcli.report.html.write import write_report, write_study

    go_offline(True)  # images are shown where they are there; nothing is fetched for them
    with only_the_result_on_stdout():
        file = write_report(runs[0], out) if len(runs) == 1 else write_study(runs, out)
    if as_json:
        print_json({"report": str(file), "runs": [str(run) for run in runs]})
    else:
        print(file, flush=True)
