"""`ftcli init`: a first recipe for a folder of images."""

from __future__ import annotations

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
    from ftcli.cli.new_file import check_new, write_new
    from ftcli.cli.output import print_json
    from ftcli.workflows.init import init as recipe_for

    check_new(out, "--out")
    result = recipe_for(str(data), str(out), backbone)
    write_new(out, result.text, "--out")
    if as_json:
        print_json({"recipe": str(out), **result.to_dict()})
        return
    counts = ", ".join(f"{count:,} {stream}" for stream, count in result.data["counts"].items())
    print(f"wrote {out}: {len(result.data['classes'])} classes, {counts}; {result.backbone}")
    print(f"next: {result.next[0]}")
