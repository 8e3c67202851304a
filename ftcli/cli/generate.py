"""`ftcli generate`: what a trained language model makes of prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ftcli.cli.options import AsJson


def generate(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run folder, or a model file that ftcli wrote.")
    ],
    prompts: Annotated[list[str], typer.Argument(metavar="PROMPT...", help="Texts to go on with.")],
    max_tokens: Annotated[int, typer.Option(min=1, help="The most tokens to add.")] = 48,
    temperature: Annotated[
        float, typer.Option(min=0.0, help="0: the likeliest token each time; 1: drawn as the model says.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Decides what is drawn.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Go on with texts, by a language model of a run."""
    from ftcli.cli.output import print_json, print_view
    from ftcli.engine.generate import Drawing
    from ftcli.report.samples import continuations_view
    from ftcli.workflows.generate import generate as go_on

    found = [made.to_dict() for made in go_on(run, prompts, Drawing(max_tokens, temperature, seed))]
    if as_json:
        print_json(found)
    else:
        print_view(continuations_view(found))
