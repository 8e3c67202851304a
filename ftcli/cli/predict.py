"""`ftcli predict`: what a trained model says of images or texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ftcli.cli.options import AsJson


def predict(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run folder, or a model file that ftcli wrote.")
    ],
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Image files; text files for a model of texts.")
    ],
    as_json: AsJson = False,
) -> None:
    """Classify images or texts with a finished run."""
    from ftcli.cli.output import print_json, print_view
    from ftcli.report.summary import predict_view
    from ftcli.workflows.predict import predict as classify

    result = [prediction.to_dict() for prediction in classify(run, files)]
    if as_json:
        print_json(result)
    else:
        print_view(predict_view(result))
