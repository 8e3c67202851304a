"""`ftcli train`: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ftcli.cli.options import AsJson, Overrides


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe file.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="RUN", help="The run folder; default runs/NAME, numbered.")
    ] = None,
    overrides: Overrides = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was cut off.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train as a recipe says."""
    from ftcli.cli.output import print_json, print_view
    from ftcli.cli.recipe_file import opened
    from ftcli.report.live import listener_for
    from ftcli.report.summary import summary_view

    with opened(recipe, overrides) as loaded, listener_for(as_json=as_json) as listener:
        from ftcli.workflows.train import train as run_recipe

        result = run_recipe(loaded, out=out, resume=resume, listener=listener)
    if as_json:
        print_json(result.to_dict())
    else:
        print_view(summary_view(result))
