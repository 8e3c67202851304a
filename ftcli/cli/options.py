"""Options that several commands share, declared once."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ftcli.offline import VARIABLE, go_offline

Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change the recipe: --set optimizer.lr=1e-4, --set strategy=full. May be given again.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Give the result as JSON on stdout.")]


def offline_option() -> Any:
    """`--offline`, as a parameter of a command that need not know of it.

    It is obeyed before the command begins, and so before a library is imported that reads the environment.
    """
    app = typer.Typer(add_completion=False)
    app.command()(_offline)
    return typer.main.get_command(app).params[0]


def _offline(
    asked: Annotated[
        bool,
        typer.Option(
            "--offline",
            callback=go_offline,
            expose_value=False,
            help=f"Download nothing; so does {VARIABLE}=1.",
        ),
    ] = False,
) -> None: ...
