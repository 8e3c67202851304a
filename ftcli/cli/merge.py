"""`ftcli merge`: the adapters of a run folded into its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ftcli.cli.options import AsJson


def merge(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run with adapters.")],
    out: Annotated[
        Path,
        typer.Option(
            help="NAME.safetensors, with the names of torchvision, timm or transformers; or a folder that "
            "transformers opens."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Fold the adapters of a run into its weights."""
    from ftcli.cli.new_file import check_new

    check_new(out, "--out")
    from ftcli.cli.output import print_json, print_view
    from ftcli.report.merge import merge_view
    from ftcli.workflows.merge import merge as fold

    merged = fold(run, out).to_dict()
    if as_json:
        print_json(merged)
    else:
        print_view(merge_view(merged))
