"""Options that several commands share, declared once."""

from __future__ import annotations

from typing import Annotated

import typer

Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change the recipe: --set optimizer.lr=1e-4, --set strategy=full. May be given again.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Give the result as JSON on stdout.")]
