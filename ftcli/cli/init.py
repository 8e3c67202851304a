"""`ftcli init`: a first recipe for a folder of images."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from ftcli.cli.options import AsJson


def init(
    data: Annotated[
        Path, typer.Argument(metavar="DIR", help="Class folders; or train, val and test; or a CSV manifest.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The recipe.")] = Path("recipe.yaml"),
    backbone: Annotated[
        str | None, typer.Option("--backbone", metavar="SOURCE/NAME", help="Default: a small one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a recipe for a folder of images."""
    from ftcli.workflows.init import init as recipe_for

    _check_free(out)
    result = recipe_for(str(data), str(out), backbone)
    _write(out, result.text)
    if as_json:
        print(json.dumps({"recipe": str(out), **result.to_dict()}, indent=2))
        return
    counts = ", ".join(f"{count:,} {stream}" for stream, count in result.data["counts"].items())
    print(f"wrote {out}: {len(result.data['classes'])} classes, {counts}; {result.backbone}")
    print(f"next: {result.next[0]}")


def _check_free(out: Path) -> None:
    """Told before the images are looked at."""
    from ftcli.errors import MachineError

    if os.path.lexists(out):
        raise MachineError(f"{out} is there already", remedy="give another file with --out, or remove it")
    if not (os.path.isdir(out.parent) and os.access(out.parent, os.W_OK)):
        raise MachineError(
            f"no folder {out.parent} that can be written to", remedy="make it, or change --out"
        )


def _write(out: Path, text: str) -> None:
    from ftcli.errors import MachineError

    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise MachineError(f"cannot write {out}: {error.strerror}", remedy="change --out") from error
