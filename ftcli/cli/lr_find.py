"""`ftcli lr-find`: which LRs a recipe's phases, and their stages, take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ftcli.cli.options import AsJson, Overrides

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ftcli.workflows.lr_find import LrFound


def lr_find(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe file.")],
    phase: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Test this phase alone, after those before it; default every phase."
        ),
    ] = None,
    per_stage: Annotated[
        bool,
        typer.Option("--per-stage", help="Each stage by itself too, the others at their plan: twice each."),
    ] = False,
    steps: Annotated[
        int, typer.Option(metavar="N", min=10, max=10_000, help="Steps from 1e-7 to 10, if it gets so far.")
    ] = 100,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the curves as a PNG file.")] = None,
    write: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the recipe, --set included, with the suggested LRs."),
    ] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Find the LRs that suit a recipe's phases and stages."""
    from ftcli.cli.output import only_the_result_on_stdout, print_json, print_view
    from ftcli.cli.recipe_file import opened
    from ftcli.recipe.edit import edit
    from ftcli.report.live import listener_for
    from ftcli.report.lr_find import lr_json, lr_view

    _check_files(plot, write)
    with opened(recipe, overrides) as loaded, listener_for(as_json=as_json) as listener:
        if write is not None:  # whether its text can be changed is told before the work is done
            edit(recipe, [*(overrides or ()), "optimizer.lr=1e-3"])
        from ftcli.workflows.lr_find import lr_find as find
        from ftcli.workflows.lr_find import values_to_write

        with only_the_result_on_stdout():
            found = find(loaded, phase=phase, per_stage=per_stage, steps=steps, listener=listener)
    values = None if write is None else values_to_write(found)
    if as_json:
        print_json(lr_json(found.sweeps, found.findings, values))
    else:
        print_view(lr_view(found.sweeps, found.findings))
    for told in _write_files(found, plot, write, _text(recipe, overrides, values), values):
        typer.echo(told, err=as_json)


def _check_files(plot: Path | None, write: Path | None) -> None:
    """Before the work is done: whether they can be written."""
    from ftcli.cli.new_file import check_new
    from ftcli.errors import UsageError

    if plot is not None and plot == write:
        raise UsageError("--plot and --write name one file", where=str(plot), remedy="give two files")
    if plot is not None and plot.suffix.lower() != ".png":
        raise UsageError("--plot writes PNG", where=str(plot), remedy="end the file's name in .png")
    if plot is not None:
        check_new(plot, "--plot")
    if write is not None:
        check_new(write, "--write")


def _text(
    recipe: Path, overrides: list[str] | None, values: dict[str, str] | None
) -> tuple[str, list[str]] | None:
    """The recipe as it was tested, `--set` included, with what was found; and what is changed. None if nothing is."""
    from ftcli.recipe.edit import edit, paths

    if not values:
        return None
    changes = [*(overrides or ()), *(f"{where}={value}" for where, value in values.items())]
    return edit(recipe, changes), paths(changes)


def _write_files(
    found: LrFound,
    plot: Path | None,
    write: Path | None,
    changed: tuple[str, list[str]] | None,
    values: dict[str, str] | None,
) -> Iterator[str]:
    """A line for each."""
    from ftcli.cli.new_file import write_new
    from ftcli.engine.files import write_bytes
    from ftcli.report.lr_png import lr_png

    if plot is not None:
        write_bytes(plot, lr_png(found.sweeps))
        yield f"wrote {plot}"
    if write is not None and changed is not None:
        write_new(write, changed[0], "--write")
        told = (f"{path} {(values or {}).get(path, '')}".rstrip() for path in changed[1])
        yield f"wrote {write}: {', '.join(told)}"
        yield from _of_several_phases(found, values or {})
    elif write is not None:
        yield f"{write} is not written: nothing was found to change"


def _of_several_phases(found: LrFound, values: dict[str, str]) -> Iterator[str]:
    """One base LR serves all phases, though each may have asked for another."""
    whole = {sweep.phase: sweep.recommended for sweep in found.sweeps if sweep.stage is None}
    if "optimizer.lr" in values and len(whole) > 1:
        each = ", ".join(f"{phase} {lr:.1e}" for phase, lr in whole.items())
        yield f"the least of what the phases ask for: {each}"
