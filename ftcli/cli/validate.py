"""`ftcli validate`: are these recipes right?"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ftcli.cli.options import AsJson, Overrides
from ftcli.cli.output import print_json

if TYPE_CHECKING:
    from ftcli.errors import UsageError


def validate(
    recipes: Annotated[list[str], typer.Argument(metavar="RECIPE...", help="Recipe files.")],
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Check recipes; every mistake is told with its place."""
    checked = [(path, _mistakes(path, overrides or [])) for path in recipes]
    if as_json:
        print_json({"recipes": [_result(path, error) for path, error in checked]})
    else:
        for path, error in checked:
            _show(path, error)
    if any(error for _, error in checked):
        raise typer.Exit(2)


def _mistakes(path: str, overrides: list[str]) -> UsageError | None:
    from ftcli.errors import UsageError
    from ftcli.recipe.load import load

    try:
        load(path, overrides)
    except UsageError as error:
        return error
    return None


def _show(path: str, error: UsageError | None) -> None:
    if error is None:
        print(f"ok  {path}", flush=True)
        return
    from ftcli.report.errors import show_error

    show_error(error)


def _result(path: str, error: UsageError | None) -> dict[str, object]:
    """`problems` is empty for a recipe that is right; a file that cannot be read is one problem."""
    from ftcli.errors import Problem, RecipeError

    problems: tuple[Problem, ...] = ()
    if isinstance(error, RecipeError):
        problems = error.problems
    elif error is not None:
        problems = (Problem("", error.what, error.remedy, path),)
    return {"recipe": path, "ok": error is None, "problems": [asdict(problem) for problem in problems]}
