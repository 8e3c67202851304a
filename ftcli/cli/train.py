"""`ftcli train`: the main job."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ftcli.cli.options import AsJson, Overrides

if TYPE_CHECKING:
    from ftcli.errors import StoppedByUser


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
    from ftcli.cli.output import only_the_result_on_stdout, print_json, print_view
    from ftcli.cli.recipe_file import opened
    from ftcli.errors import StoppedByUser
    from ftcli.report.live import listener_for
    from ftcli.report.summary import summary_view

    with opened(recipe, overrides) as loaded, listener_for(as_json=as_json) as listener:
        from ftcli.workflows.train import train as run_recipe

        try:
            with only_the_result_on_stdout():
                result = run_recipe(loaded, out=out, resume=resume, listener=listener)
        except StoppedByUser as stop:
            raise _with_command(stop, recipe, overrides) from stop
    if as_json:
        print_json(result.to_dict())
    else:
        print_view(summary_view(result))


def _with_command(stop: StoppedByUser, recipe: Path, overrides: list[str] | None) -> StoppedByUser:
    """The same, its remedy the command that goes on from there."""
    if stop.where is None:
        return stop
    changes = [part for override in overrides or () for part in ("--set", override)]
    command = shlex.join(["ftcli", "train", str(recipe), *changes, "--out", stop.where, "--resume"])
    return type(stop)(stop.what, where=stop.where, remedy=f"to go on: {command}")
