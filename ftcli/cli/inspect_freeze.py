"""`ftcli inspect-freeze`: what trains, how fast, and what BatchNorm does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ftcli.cli.options import AsJson, Overrides

if TYPE_CHECKING:
    from ftcli.plan.training_plan import TrainingPlan


def inspect_freeze(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A recipe, or a backbone such as timm/resnet50.")
    ],
    strategy: Annotated[
        str | None, typer.Option(help="The strategy to show a bare backbone under; default full.")
    ] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Show which parameters train, phase by phase."""
    from ftcli.cli.output import print_json, print_view
    from ftcli.report.plan_table import plan_json, plan_view

    plan = _plan_of(model, strategy, overrides)
    if as_json:
        print_json(plan_json(plan))
    else:
        print_view(plan_view(plan))


def _plan_of(model: str, strategy: str | None, overrides: list[str] | None) -> TrainingPlan:
    from ftcli.cli.recipe_file import opened
    from ftcli.errors import UsageError
    from ftcli.workflows.inspect import inspect_backbone, inspect_recipe

    if Path(model).is_file() or Path(model).suffix in (".yaml", ".yml"):
        if strategy is not None:
            remedy = f"use --set strategy={strategy}"
            raise UsageError("--strategy is for a backbone by name", remedy=remedy)
        with opened(Path(model), overrides) as recipe:
            return inspect_recipe(recipe)
    if overrides:
        remedy = "write a recipe for it: ftcli recipes cp quickstart"
        raise UsageError("--set changes a recipe, and a backbone by name has none", remedy=remedy)
    return inspect_backbone(model, strategy or "full")
