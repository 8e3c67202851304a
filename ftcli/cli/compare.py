"""`ftcli compare`: one study, several runs, side by side."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ftcli.cli.options import AsJson, Overrides

if TYPE_CHECKING:
    from ftcli.planner.variants import Asked
    from ftcli.plans.study import Trial
    from ftcli.recipe.schema import Recipe
    from ftcli.workflows.compare.comparison import Comparison


def compare(
    what: Annotated[
        list[Path],
        typer.Argument(
            metavar="RECIPE|RUN...",
            help="A recipe to vary; or run folders that are there; or a study's folder.",
        ),
    ],
    strategies: Annotated[
        str | None,
        typer.Option(
            metavar="A,B", help="Strategies by their kinds, in the recipe's place: probe,full,scratch."
        ),
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH=A,B",
            help="Values of one path: optimizer.lr=1e-4,1e-3. May be given again: every pair.",
        ),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(metavar="0,1", help="Seeds: each draws its own split and head.")
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option(metavar="50,100,all", help="Training examples: learning curves; val and test stay."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="STUDY", help="The study's folder; default studies/NAME.")
    ] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Compare strategies, options, seeds and data sizes."""
    from ftcli.cli.output import only_the_result_on_stdout, print_json, print_view
    from ftcli.planner.variants import Asked
    from ftcli.report.compare import compare_view

    asked = Asked(strategies, tuple(vary or ()), seeds, sizes)
    with only_the_result_on_stdout():
        if len(what) == 1 and not what[0].is_dir():
            found = _study(what[0], asked, overrides or [], out, as_json)
        else:
            _refuse_options(asked, overrides, out)
            found = _there_already(what)
    if as_json:
        print_json(found.to_dict())
    else:
        print_view(compare_view(found))
    _tell_failed(found, as_json)


def _study(path: Path, asked: Asked, overrides: list[str], out: Path | None, as_json: bool) -> Comparison:
    from ftcli.engine.run_folder import RunFolder
    from ftcli.errors import StoppedByUser
    from ftcli.planner.variants import study_of
    from ftcli.recipe.load import load
    from ftcli.report.compare_narrator import StudyNarrator
    from ftcli.report.html.when_done import study_done
    from ftcli.report.live import listener_for

    recipe = load(path, overrides).recipe
    study_of(recipe, {}, asked)  # what is wrong with the options is told before torch is imported
    from ftcli.workflows.absolute_paths import with_absolute_paths
    from ftcli.workflows.compare.run_study import run_study

    folder = out or Path("studies") / recipe.name
    study = study_of(recipe, with_absolute_paths(recipe).model_dump(mode="json"), asked)
    with listener_for(as_json=as_json, tells=StudyNarrator) as listener:
        try:
            found = run_study(
                study,
                lambda trial: _varied(path, overrides, trial, asked),
                folder,
                listener,
            )
        except StoppedByUser as stop:
            raise type(stop)(
                stop.what, where=stop.where, remedy=f"to go on: {_command(path, asked, overrides, out)}"
            ) from stop
        study_done(found, RunFolder(folder).report, listener)
    return found


def _varied(path: Path, overrides: list[str], trial: Trial, asked: Asked) -> Recipe:
    """A trial's recipe. What is wrong with it is told of the option that asked for it."""
    from dataclasses import replace

    from ftcli.errors import RecipeError
    from ftcli.recipe.load import load

    options = {text.partition("=")[0].strip(): "--vary" for text in asked.vary}
    options |= {"strategy": "--strategies"} if asked.strategies is not None else {}
    try:
        return load(path, [*overrides, *trial.overrides]).recipe
    except RecipeError as error:
        told = []
        for problem in error.problems:
            override = (problem.at or "").removeprefix("--set ")
            option = options.get(override.partition("=")[0]) if override != problem.at else None
            told.append(replace(problem, at=f"{option} {override}") if option else problem)
        raise RecipeError(*told) from error


def _command(path: Path, asked: Asked, overrides: list[str], out: Path | None) -> str:
    """The same again."""
    lists = {"--strategies": asked.strategies, "--seeds": asked.seeds, "--sizes": asked.sizes}
    options = [(option, text) for option, text in lists.items() if text is not None]
    options += [("--vary", text) for text in asked.vary] + [("--set", text) for text in overrides]
    options += [("--out", str(out))] if out is not None else []
    return shlex.join(["ftcli", "compare", str(path), *(part for option in options for part in option)])


def _there_already(paths: list[Path]) -> Comparison:
    from ftcli.errors import UsageError

    if (file := next((path for path in paths if path.is_file()), None)) is not None:
        remedy = "give one recipe with --strategies, --vary, --seeds or --sizes; or run folders alone"
        raise UsageError("this is a file among several to compare", where=str(file), remedy=remedy)
    if len(paths) > 1:
        from ftcli.workflows.compare.existing_runs import compare_runs

        return compare_runs(paths)
    from ftcli.workflows.compare.run_study import read_study
    from ftcli.workflows.compare.study_folder import StudyFolder

    if not StudyFolder(paths[0]).file.is_file():
        what = "one run alone is nothing to compare"
        raise UsageError(
            what, where=str(paths[0]), remedy="give two run folders or more, or a study's folder"
        )
    return read_study(paths[0])


def _refuse_options(asked: Asked, overrides: list[str] | None, out: Path | None) -> None:
    """They make runs; here the runs are there."""
    from ftcli.errors import UsageError
    from ftcli.planner.variants import Asked

    if asked != Asked() or overrides or out is not None:
        what = (
            "--strategies, --vary, --seeds, --sizes, --set and --out are for a recipe, and these are folders"
        )
        raise UsageError(what, remedy="leave them out, or give one recipe")


def _tell_failed(found: Comparison, as_json: bool) -> None:
    """Raises RunsFailedError. Beside JSON, which tells of the failures already, the message goes to stderr alone."""
    from ftcli.errors import RunsFailedError

    if not found.failed:
        return
    first = found.failed[0]
    assert first.failure is not None
    what = f"{len(found.failed)} of {len(found.runs)} runs failed, {first.trial.name} first"
    error = RunsFailedError(what, remedy="mend what the table says; the same command tries them again")
    if not as_json:
        raise error
    from ftcli.report.errors import show_error

    show_error(error)
    raise typer.Exit(RunsFailedError.exit_code)
