"""`ftcli inspect-freeze`: what trains, how fast, which optimizer group has it, and what BatchNorm does."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ftcli.cli.options import AsJson, Overrides

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ftcli.errors import UsageError
    from ftcli.findings import Finding
    from ftcli.workflows.inspect import Inspected

RECIPES = (".yaml", ".yml")
MODELS = (".safetensors",)
FOREIGN_MODELS = (".pth", ".pt", ".bin", ".ckpt", ".onnx")


class Depth(StrEnum):
    stage = "stage"
    layer = "layer"
    parameter = "parameter"


def inspect_freeze(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A recipe, a backbone such as timm/resnet50, a run folder, or a .safetensors file of one.",
        ),
    ],
    strategy: Annotated[
        str | None, typer.Option(help="The strategy to show a bare backbone under; default full.")
    ] = None,
    phase: Annotated[
        str | None,
        typer.Option(metavar="PHASE", help="Show this phase alone: its index from 0, or its name."),
    ] = None,
    depth: Annotated[Depth | None, typer.Option(help="A row a stage, a layer or a parameter.")] = None,
    pattern: Annotated[
        str | None,
        typer.Option(
            "--filter", metavar="NAME", help="Only parameters with this in their names; or '*.bn1.*'."
        ),
    ] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show what changes from phase to phase.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with exit code 6 on findings that are errors.")
    ] = False,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Show which parameters train, phase by phase."""
    from ftcli.cli.output import only_the_result_on_stdout, print_json, print_view
    from ftcli.report.freeze_page import Question, Subject, freeze_json, freeze_page

    asked = Question(phase, depth.value if depth else None, pattern, diff)
    with only_the_result_on_stdout():
        found = _inspected(model, strategy, overrides)
    subject = Subject(found.subject, found.phases, found.findings, found.plan, found.notes)
    if as_json:
        print_json(freeze_json(subject, asked))
    else:
        print_view(freeze_page(subject, asked))
    if strict:
        _refuse_errors(subject.findings, as_json)


def _inspected(model: str, strategy: str | None, overrides: list[str] | None) -> Inspected:
    """Of whatever MODEL names: an existing path and a suffix of ours come before a backbone's name."""
    path = Path(model)
    if not path.exists() and path.suffix not in (*RECIPES, *MODELS):
        return _of_backbone(model, strategy, overrides)
    if strategy is not None:
        remedy = (
            f"use --set strategy={strategy}" if path.suffix in RECIPES else "a run has that of its recipe"
        )
        raise _usage("--strategy is for a backbone by name", remedy=remedy)
    if not path.is_dir() and path.suffix in RECIPES:
        return _of_recipe(path, overrides)
    if overrides:
        raise _usage(
            "--set changes a recipe, and this is a run", remedy="inspect the recipe.yaml in its folder"
        )
    if path.is_dir() or path.suffix in MODELS:
        from ftcli.workflows.inspect_run import inspect_path

        return inspect_path(path)
    raise _usage(
        "this is neither a recipe (.yaml), nor a run folder, nor a model that ftcli wrote (.safetensors)",
        where=model,
        remedy="load another library's model in Python, and call ftcli.inspect_freeze(model, optimizer)",
    )


def _of_recipe(path: Path, overrides: list[str] | None) -> Inspected:
    from ftcli.cli.recipe_file import opened
    from ftcli.workflows.inspect import inspect_plan, inspect_recipe

    with opened(path, overrides) as recipe:
        return inspect_plan(inspect_recipe(recipe))


def _of_backbone(name: str, strategy: str | None, overrides: list[str] | None) -> Inspected:
    from ftcli.components.backbone import SOURCES
    from ftcli.workflows.inspect import inspect_backbone, inspect_plan

    if _means_a_path(name, SOURCES):
        from ftcli.errors import MachineError

        what = "there is no such file or folder, and a backbone's name begins otherwise"
        sources = ", ".join(f"{source}/" for source in SOURCES)
        raise MachineError(what, where=name, remedy=f"check the path; backbones begin with {sources}")
    if overrides:
        remedy = "use --strategy, or name this backbone in a recipe of yours (model.backbone)"
        raise _usage("--set changes a recipe, and a backbone by name has none", remedy=remedy)
    return inspect_plan(inspect_backbone(name, strategy or "full"))


def _means_a_path(name: str, sources: Sequence[str]) -> bool:
    """Names with a folder that is no library, and files of other programs."""
    prefix, slash, _ = name.partition("/")
    return prefix not in sources and (bool(slash) or Path(name).suffix in FOREIGN_MODELS)


def _refuse_errors(findings: Sequence[Finding], as_json: bool) -> None:
    """Raises GateError. Beside JSON, which tells the findings already, the message goes to stderr alone."""
    from ftcli.errors import GateError

    errors = [finding for finding in findings if finding.severity == "error"]
    if not errors:
        return
    count = "1 finding is an error" if len(errors) == 1 else f"{len(errors)} findings are errors"
    gate = GateError(f"--strict: {count}", where=errors[0].where, remedy=errors[0].remedy)
    if not as_json:
        raise gate
    from ftcli.report.errors import show_error

    show_error(gate)
    raise typer.Exit(GateError.exit_code)


def _usage(what: str, **told: str) -> UsageError:
    from ftcli.errors import UsageError

    return UsageError(what, **told)
