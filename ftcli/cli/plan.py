"""`ftcli plan`: what a recipe will do; or, before there is one, what suits data of a size and a domain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ftcli.cli.options import AsJson, Overrides

if TYPE_CHECKING:
    from ftcli.plans.data_summary import DataSummary
    from ftcli.plans.domain_distance import DomainDistance
    from ftcli.workflows.advise import AdviseResult

    Seen = tuple[DataSummary, DomainDistance | None]


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
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Look at a folder or manifest, and measure its domain."),
    ] = None,
    compute: Annotated[
        str | None, typer.Option("--compute", metavar="C", help="cpu, gpu, or the minutes that there are.")
    ] = None,
    backbone: Annotated[
        str | None, typer.Option("--backbone", metavar="SOURCE/NAME", help="Default: a small one.")
    ] = None,
    write: Annotated[
        Path | None, typer.Option("--write", metavar="FILE", help="Write the advice as a recipe.")
    ] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Advise what to train; or show what a recipe will do."""
    asked = _Asked(dataset_size, domain, classes, data, compute, backbone, write)
    if recipe is not None:
        asked.refuse_beside_a_recipe()
        _show_plan(recipe, overrides, as_json)
    else:
        asked.refuse_what_does_not_fit(overrides)
        _show_advice(asked, overrides or [], as_json)


@dataclass(frozen=True)
class _Asked:
    """The options for advice."""

    dataset_size: int | None
    domain: str | None
    classes: int | None
    data: Path | None
    compute: str | None
    backbone: str | None
    write: Path | None

    def refuse_beside_a_recipe(self) -> None:
        from ftcli.errors import UsageError

        if any(option is not None for option in vars(self).values()):
            raise UsageError(
                "a recipe, and options for advice without one",
                remedy="give either RECIPE, or --data, or --dataset-size",
            )

    def refuse_what_does_not_fit(self, overrides: list[str] | None) -> None:
        from ftcli.errors import UsageError

        if overrides and self.data is None:
            what = "--set changes a recipe, or how --data are read, and there is neither"
            raise UsageError(what, remedy="give a RECIPE, or --data, too")
        if self.data is not None and (self.dataset_size is not None or self.classes is not None):
            raise UsageError(
                "--data counts for itself", remedy="leave out --dataset-size and --classes, or --data"
            )
        if self.data is None and (self.dataset_size is None or self.domain is None):
            raise UsageError(
                "nothing to plan",
                remedy="give a RECIPE; or --data; or --dataset-size and --domain for advice without data",
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


def _show_advice(asked: _Asked, overrides: list[str], as_json: bool) -> None:
    from ftcli.cli.new_file import check_new, write_new
    from ftcli.cli.output import print_json, print_view
    from ftcli.report.advice import advice_json, advice_view
    from ftcli.report.data_summary import data_summary_view

    if asked.write is not None:
        check_new(asked.write, "--write")
    seen, result = _advised(asked, overrides, as_json)
    if asked.write is not None:
        write_new(asked.write, result.recipe, "--write")
    if as_json:
        print_json({**advice_json(result.advice, result.estimate, seen), "recipe": result.recipe})
        return
    if seen is not None:
        print_view(data_summary_view(*seen))
    print_view(advice_view(result.advice, result.estimate))
    if asked.write is not None:
        fill_in = "" if asked.data else "fill in data.path, then "
        typer.echo(f"\nwrote {asked.write}; next: {fill_in}ftcli train {asked.write}")


def _advised(asked: _Asked, overrides: list[str], as_json: bool) -> tuple[Seen | None, AdviseResult]:
    """What was seen of the data, where there are some, and the advice."""
    from ftcli.cli.output import only_the_result_on_stdout
    from ftcli.planner.compute import Compute, parse_compute
    from ftcli.planner.domain import parse_domain
    from ftcli.recipe.load import recipe_from

    compute = Compute() if asked.compute is None else parse_compute(asked.compute)
    if asked.domain is not None:
        parse_domain(asked.domain)
    if asked.backbone is not None:
        recipe_from({"data": "digits", "model": {"backbone": asked.backbone}, "strategy": "full"})
    with only_the_result_on_stdout():
        from ftcli.workflows.advise import advise, task_told
        from ftcli.workflows.init import default_backbone

        backbone = asked.backbone or default_backbone()[0]
        if asked.data is None:
            assert asked.dataset_size is not None
            assert asked.domain is not None
            task = task_told(asked.dataset_size, asked.domain, asked.classes)
            return None, advise(task, backbone, compute)
        from ftcli.report.audit_progress import audit_progress
        from ftcli.workflows.look_at_data import look_at_data

        with audit_progress(as_json=as_json) as tell:
            looked = look_at_data(asked.data, asked.domain, backbone, tell, overrides)
        return (looked.summary, looked.distance), advise(looked.task, backbone, compute)
