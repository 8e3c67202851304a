"""`ftcli evaluate`: a finished run, measured again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ftcli.cli.options import AsJson


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    split: Annotated[str, typer.Option(help="train, val or test, as the run divided its data.")] = "test",
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate", help="Fit a temperature on val; tell the calibration error before and after."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure a finished run on its test examples."""
    from ftcli.cli.output import print_json, print_view
    from ftcli.report.summary import evaluate_view
    from ftcli.workflows.evaluate import evaluate as measure

    result = measure(run, split, calibrate=calibrate)
    if as_json:
        print_json(result)
    else:
        print_view(evaluate_view(result))
