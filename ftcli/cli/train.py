"""`ftcli train`: the main job."""

from __future__ import annotations

import shlex
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ftcli.cli.options import AsJson, Overrides

if TYPE_CHECKING:
    from ftcli.errors import StoppedByUser
    from ftcli.events import Listener
    from ftcli.recipe.schema import Recipe


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe file.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="RUN", help="The run folder; default runs/NAME, numbered.")
    ] = None,
    overrides: Overrides = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was cut off.")] = False,
    fold: Annotated[
        int | None, typer.Option("--fold", metavar="K", min=0, help="One fold of data.split.folds, from 0.")
    ] = None,
    folds: Annotated[
        bool,
        typer.Option("--folds", help="Every fold, in RUN-fold0 and so on; then mean, spread, all in one."),
    ] = False,
    profile: Annotated[bool, typer.Option("--profile", help="Show in the end where the time went.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train as a recipe says."""
    from ftcli.cli.output import only_the_result_on_stdout, print_json, print_view
    from ftcli.cli.recipe_file import opened
    from ftcli.engine.stopwatch import profiling
    from ftcli.errors import StoppedByUser, UsageError
    from ftcli.report.live import listener_for

    if folds and fold is not None:
        raise UsageError("--folds runs every fold, --fold one of them", remedy="give one of the two")
    if folds and profile:
        raise UsageError("--profile is for one run", remedy="give --fold K in place of --folds")
    perform = _every_fold if folds else _one
    audit_command = shlex.join(["ftcli", "audit", str(recipe), *_changes(overrides)])
    with (
        profiling() if profile else nullcontext(),
        opened(recipe, overrides) as loaded,
        listener_for(as_json=as_json) as listener,
    ):
        try:
            with only_the_result_on_stdout():
                result = perform(loaded, out, resume, listener, fold, audit_command)
        except StoppedByUser as stop:
            raise _with_command(stop, recipe, overrides, out, folds, fold) from stop
    if as_json:
        print_json(result.to_dict())
    else:
        print_view(_view(result, folds))


def _one(
    recipe: Recipe, out: Path | None, resume: bool, listener: Listener, fold: int | None, audit_command: str
) -> Any:
    from ftcli.engine.run_folder import check_run_folder
    from ftcli.engine.stopwatch import span

    if not resume:
        check_run_folder(out, recipe.name)
    with span("imports"):
        from ftcli.workflows.train import train as run_recipe

    if fold is not None:
        from ftcli.workflows.train_folds import audit_of_fold, of_fold, tell_default

        tell_default(recipe, listener)
        recipe = of_fold(recipe, fold)
        audit_command = audit_of_fold(audit_command, recipe)
    return run_recipe(recipe, out=out, resume=resume, listener=listener, audit_command=audit_command)


def _every_fold(
    recipe: Recipe, out: Path | None, resume: bool, listener: Listener, _: int | None, audit_command: str
) -> Any:
    from ftcli.workflows.train_folds import train_folds

    return train_folds(recipe, out=out, resume=resume, listener=listener, audit_command=audit_command)


def _view(result: Any, folds: bool) -> Any:
    from ftcli.report.folds import folds_view
    from ftcli.report.summary import summary_view

    return folds_view(result) if folds else summary_view(result)


def _with_command(
    stop: StoppedByUser,
    recipe: Path,
    overrides: list[str] | None,
    out: Path | None,
    folds: bool,
    fold: int | None,
) -> StoppedByUser:
    """The same, its remedy the command that goes on from there."""
    if stop.where is None:
        return stop
    if folds:
        place = ["--folds", *(["--out", str(out)] if out is not None else [])]
    else:
        place = [*(["--fold", str(fold)] if fold is not None else []), "--out", stop.where]
    command = shlex.join(["ftcli", "train", str(recipe), *_changes(overrides), *place, "--resume"])
    return type(stop)(stop.what, where=stop.where, remedy=f"to go on: {command}")


def _changes(overrides: list[str] | None) -> list[str]:
    """As they were given."""
    return [part for override in overrides or () for part in ("--set", override)]
