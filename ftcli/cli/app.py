"""The commands by name. A command's file is imported when it is called or its own help is asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

COMMANDS = {
    "init": "Write a recipe for a folder of images.",
    "validate": "Check recipes; every mistake is told with its place.",
    "plan": "Advise what to train; or show what a recipe will do.",
    "inspect-freeze": "Show which parameters train, phase by phase.",
    "audit": "Look for leaks between train and test, and for bad examples.",
    "lr-find": "Find the LRs that suit a recipe's phases and stages.",
    "train": "Train as a recipe says.",
    "compare": "Compare strategies, options, seeds and data sizes.",
    "resume": "Go on with a run that was cut off.",
    "evaluate": "Measure a finished run on its test examples.",
    "merge": "Fold the adapters of a run into its weights.",
    "report": "Write a run's page again, or one of several runs.",
    "predict": "Classify images or texts with a finished run.",
    "generate": "Go on with texts, by a language model of a run.",
    "models": "The backbones: ls, show, exceptions.",
    "recipes": "The example recipes: ls, show, cp.",
    "cache": "What is kept between runs: ls, clear.",
    "doctor": "Check the installation, devices and folders.",
    "schema": "Print the JSON Schema of a recipe, for editors.",
}
"""In the order of `ftcli --help`, which imports none of them; a test compares each with the docstring."""


MAY_DOWNLOAD = (
    "lr-find",
    "train",
    "compare",
    "plan",
    "inspect-freeze",
    "audit",
    "evaluate",
    "merge",
    "predict",
)
"""What recipes and runs name is fetched where it is not there yet: these take --offline."""


class LazyGroup(TyperGroup):
    """Knows its commands by name. `ftcli/cli/NAME.py` has a function NAME, or an `app` with subcommands."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return load_command(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in COMMANDS:
            ctx.fail(_no_such_command(args[0]))
        return super().resolve_command(ctx, args)


def call(arguments: Sequence[str]) -> None:
    """Do what the command line says; ends with SystemExit or an error."""
    typer.main.get_command(app)(list(arguments), prog_name="ftcli")


def load_command(name: str) -> Any:
    """The command, ready to be called."""
    function = name.replace("-", "_")
    module = import_module(f"ftcli.cli.{function}")
    app = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(rich_markup_mode=None, add_completion=False)
        app.command(name)(getattr(module, function))
    command = typer.main.get_command(app)
    command.name = name
    if name in MAY_DOWNLOAD:
        from ftcli.cli.options import offline_option

        command.params.append(offline_option())
    return command


def _no_such_command(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, COMMANDS, n=1)
    return f"there is no command {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")


app = typer.Typer(cls=LazyGroup, rich_markup_mode=None, add_completion=False, no_args_is_help=True)


def _version(asked: bool) -> None:
    if asked:
        from ftcli import __version__

        typer.echo(f"ftcli {__version__}")
        raise typer.Exit()


@app.callback()
def ftcli(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; so does FTCLI_DEBUG=1.")
    ] = False,
) -> None:
    """Fine-tune a pretrained backbone from a recipe; shown before, done exactly, proved after."""
    if debug:
        os.environ["FTCLI_DEBUG"] = "1"
