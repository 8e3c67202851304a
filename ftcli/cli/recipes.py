"""`ftcli recipes`: the example recipes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ftcli.cli.options import AsJson

app = typer.Typer(
    help="The example recipes: ls, show, cp.", rich_markup_mode=None, add_completion=False, no_args_is_help=True
)
Name = Annotated[str, typer.Argument(help="vision/quickstart, or only quickstart.")]


@app.command()
def ls(as_json: AsJson = False) -> None:
    """List the example recipes."""
    from ftcli.recipe.examples import examples

    every = list(examples())
    if as_json:
        print(json.dumps({"recipes": [{"name": e.name, "description": e.description} for e in every]}, indent=2))
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
    from ftcli.errors import MachineError
    from ftcli.recipe.examples import find_example

    example = find_example(name)
    target = dest / example.path.name if dest.is_dir() else dest
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(example.as_copy(target))
    except FileExistsError as error:
        raise MachineError(f"{target} is there already", remedy="give another name after the example's") from error
    except OSError as error:
        raise MachineError(f"cannot write {target}: {error.strerror}") from error
    print(target)
