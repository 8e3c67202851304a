"""`ftcli resume`: what `train --resume` does, from the run folder alone."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from ftcli.cli.options import AsJson


def resume(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run that was cut off.")],
    as_json: AsJson = False,
) -> None:
    """Go on with a run that was cut off."""
    from ftcli.cli.output import only_the_result_on_stdout, print_json, print_view
    from ftcli.cli.recipe_file import opened
    from ftcli.engine.run_folder import open_run_folder
    from ftcli.errors import StoppedByUser
    from ftcli.report.live import listener_for
    from ftcli.report.summary import summary_view
    from ftcli.workflows.train import train

    folder = open_run_folder(run)
    with opened(folder.recipe, None) as recipe, listener_for(as_json=as_json) as listener:
        try:
            with only_the_result_on_stdout():
                result = train(recipe, out=run, resume=True, listener=listener)
        except StoppedByUser as stop:
            remedy = f"to go on: {shlex.join(['ftcli', 'resume', str(run)])}"
            raise type(stop)(stop.what, where=stop.where, remedy=remedy) from stop
    if as_json:
        print_json(result.to_dict())
    else:
        print_view(summary_view(result))
