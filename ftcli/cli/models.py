"""`ftcli models`: the backbones that a recipe can name."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ftcli.cli.options import AsJson

app = typer.Typer(
    help="The backbones: ls, show, exceptions.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
)


@app.command()
def ls(
    pattern: Annotated[
        str | None, typer.Argument(help="A part of the name, or wildcards: resnet, 'timm/vit_*'.")
    ] = None,
    source: Annotated[str | None, typer.Option(metavar="SOURCE", help="torchvision, timm or hf.")] = None,
    as_json: AsJson = False,
) -> None:
    """List backbones, each with its default weights."""
    from dataclasses import asdict

    from ftcli.report.models import backbone_lines
    from ftcli.workflows.models import list_backbones

    found = list_backbones(pattern, source)
    if as_json:
        print(json.dumps({"backbones": [asdict(backbone) for backbone in found]}, indent=2))
        return
    print("\n".join(backbone_lines(found)))


@app.command()
def exceptions(as_json: AsJson = False) -> None:
    """Name the backbones that cannot be opened, each with the reason."""
    from dataclasses import asdict

    from ftcli.cli.output import print_json, print_view
    from ftcli.report.models import coverage_view
    from ftcli.workflows.backbone_card import source_coverage

    found = source_coverage()
    if as_json:
        print_json({"sources": [{**asdict(coverage), "total": coverage.total} for coverage in found]})
    else:
        print_view(coverage_view(found))


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="SOURCE/NAME: torchvision/resnet18, hf/OWNER/NAME.")],
    as_json: AsJson = False,
) -> None:
    """Show a backbone: its stages, head, weights and preprocessing."""
    import sys

    from ftcli.report import console
    from ftcli.report.models import backbone_views
    from ftcli.workflows.backbone_card import describe_backbone

    card = describe_backbone(name)
    if as_json:
        print(json.dumps(card.to_dict(), indent=2))
        return
    console.show(console.console_for(sys.stdout), *backbone_views(card))
