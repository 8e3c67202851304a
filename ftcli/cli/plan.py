"""`ftcli plan`: what a recipe will do; or, before there is one, what suits data of a size and a domain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ftcli.cli.options import AsJson, Overrides


def plan(
    recipe: Annotated[Path | None, typer.Argument(metavar="RECIPE", help="A recipe file.")] = None,
    dataset_size: Annotated[
        int | None, typer.Option("--dataset-size", metavar="N", help="Advise for so many images in all.")
    ] = None,
    domain: Annotated[
        str | None,
        typer.Option(
            "--domain",
            metavar="D",
            help="close, far, 0 (as ImageNet) to 1; or pets, food, satellite, chest-xray, microscopy.",
        ),
    ] = None,
    classes: Annotated[
        int | None, typer.Option("--classes", metavar="C", help="Into so many classes.")
    ] = None,
    backbone: Annotated[
        str | None, typer.Option("--backbone", metavar="SOURCE/NAME", help="Default torchvision/resnet18.")
    ] = None,
    write: Annotated[
        Path | None, typer.Option("--write", metavar="FILE", help="Write the advice as a recipe.")
    ] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Advise what to train; or show what a recipe will do."""
    if recipe is not None:
        _refuse_both(dataset_size, domain, classes, backbone, write)
        _show_plan(recipe, overrides, as_json)
    else:
        _show_advice(dataset_size, domain, classes, backbone, write, as_json)


def _refuse_both(*advice_options: object) -> None:
    from ftcli.errors import UsageError

    if any(option is not None for option in advice_options):
        raise UsageError(
            "a recipe, and options for advice without one", remedy="give either RECIPE or --dataset-size"
        )


def _show_plan(recipe: Path, overrides: list[str] | None, as_json: bool) -> None:
    from ftcli.cli.output import print_json, print_view
    from ftcli.cli.recipe_file import opened
    from ftcli.report.plan_table import plan_json, plan_view

    with opened(recipe, overrides) as loaded:
        from ftcli.workflows.inspect import inspect_recipe

        compiled = inspect_recipe(loaded)
    if as_json:
        print_json(plan_json(compiled))
    else:
        print_view(plan_view(compiled))


def _show_advice(
    dataset_size: int | None,
    domain: str | None,
    classes: int | None,
    backbone: str | None,
    write: Path | None,
    as_json: bool,
) -> None:
    from ftcli.cli.new_file import write_new
    from ftcli.cli.output import print_json, print_view
    from ftcli.errors import UsageError
    from ftcli.report.advice import advice_view
    from ftcli.workflows.advise import BACKBONE, advise

    if dataset_size is None or domain is None:
        raise UsageError(
            "nothing to plan", remedy="give a RECIPE; or --dataset-size and --domain for advice without one"
        )
    result = advise(dataset_size, domain, classes, backbone or BACKBONE)
    if write is not None:
        write_new(write, result.recipe, "--write")
    if as_json:
        print_json({**result.advice.to_dict(), "recipe": result.recipe})
    else:
        print_view(advice_view(result.advice))
        if write is not None:
            typer.echo(f"\nwrote {write}; next: fill in data.path, then ftcli train {write}")
