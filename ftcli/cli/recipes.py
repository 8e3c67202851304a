"""`ftcli recipes`: the example recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ftcli.cli.options import AsJson
from ftcli.cli.output import print_json

app = typer.Typer(
    help="The example recipes: ls, show, cp.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(help="vision/quickstart, or only quickstart.")]


@app.command()
def ls(as_json: AsJson = False) -> None:
    """List the example recipes."""
    from ftcli.recipe.examples import examples

    every = examples()
    if as_json:
        print_json({"recipes": [{"name": e.name, "description": e.description} for e in every]})
        return
    width = max((len(example.name) for example in every), default=0)
    for example in every:
        print(f"{example.name:{width}}  {example.description}")


@app.command()
def show(name: Name) -> None:
    """Print an example recipe."""
    from ftcli.recipe.examples import find_example

    print(find_example(name).text, end="")


@app.command()
def cp(
    name: Name,
    dest: Annotated[Path, typer.Argument(help="A file, or a folder to put it in.")] = Path("."),
) -> None:
    """Copy an example recipe, to be changed; never over another file."""
    from ftcli.cli.new_file import write_new
    from ftcli.recipe.examples import find_example

    example = find_example(name)
    target = dest / example.path.name if dest.is_dir() else dest
    write_new(target, example.as_copy(target), "DEST")
    print(target)
