"""`ftcli audit`: does the test set measure what it should?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ftcli.cli.options import AsJson, Overrides

if TYPE_CHECKING:
    from ftcli.plans.audit import AuditReport
    from ftcli.plans.data_splits import DataSplits


def audit(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A folder, a manifest (.csv, .jsonl), or a recipe.")
    ],
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with the pairs side by side.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with exit code 6 on findings that are errors.")
    ] = False,
    fix_split: Annotated[
        Path | None, typer.Option("--fix-split", metavar="FILE", help="Write a split without leaks.")
    ] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Look for leaks between train and test, and for bad images."""
    from ftcli.cli.output import only_the_result_on_stdout, print_json, print_view
    from ftcli.report.audit import audit_json, audit_page

    splits, report = _audited(data, overrides, [(html, "--html"), (fix_split, "--fix-split")])
    with only_the_result_on_stdout():
        notes = _written(report, splits, html, fix_split)
    if as_json:
        print_json(audit_json(report))
    else:
        from rich.text import Text

        print_view(audit_page(report))
        for note in notes:
            print_view(Text(note))
    if strict:
        _refuse_errors(report, as_json)


def _audited(
    data: Path, overrides: list[str] | None, written: Sequence[tuple[Path | None, str]]
) -> tuple[DataSplits, AuditReport]:
    from ftcli.cli.new_file import check_new
    from ftcli.cli.output import only_the_result_on_stdout
    from ftcli.errors import UsageError
    from ftcli.workflows.audit import audit_splits, open_data

    for path, option in written:
        if path is not None:
            check_new(path, option)
    if overrides and data.suffix.lower() not in (".yaml", ".yml"):
        raise UsageError("--set changes a recipe, and this is data", where=str(data), remedy="give a recipe")
    with only_the_result_on_stdout():
        splits = open_data(data, overrides or ())
        return splits, audit_splits(splits)


def _written(report: AuditReport, splits: DataSplits, html: Path | None, fix_split: Path | None) -> list[str]:
    """A line for each file that was asked for."""
    notes = []
    if html is not None:
        from ftcli.engine.files import write_text
        from ftcli.report.audit_html import audit_html

        write_text(html, audit_html(report, splits.load))
        notes.append(f"pairs side by side: {html}")
    if fix_split is not None:
        from ftcli.workflows.audit import write_fixed_split

        fixed = write_fixed_split(report, splits, fix_split)
        counts = ", ".join(f"{len(indices):,} {stream}" for stream, indices in fixed.streams.items())
        notes.append(f"a split without leaks: {fix_split} ({counts}); use it with data.split.file")
    return notes


def _refuse_errors(report: AuditReport, as_json: bool) -> None:
    """Raises GateError. Beside JSON, which tells the findings already, the message goes to stderr alone."""
    from ftcli.errors import GateError
    from ftcli.workflows.audit_gate import refuse_errors

    try:
        refuse_errors(report)
    except GateError as gate:
        if not as_json:
            raise
        from ftcli.report.errors import show_error

        show_error(gate)
        raise typer.Exit(GateError.exit_code) from gate
