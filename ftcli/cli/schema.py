"""`ftcli schema`: the JSON Schema of a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def schema(
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it to a file.")] = None,
) -> None:
    """Print the JSON Schema of a recipe, for editors."""
    from ftcli.recipe.json_schema import schema_text

    if out is None:
        print(schema_text(), end="")
        return
    from ftcli.errors import MachineError

    try:
        out.write_text(schema_text(), encoding="utf-8")
    except OSError as error:
        what = f"cannot write {out}: {error.strerror}"
        raise MachineError(what, remedy="give another file with --out, or leave it out to print") from error
