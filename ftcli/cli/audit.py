"""`ftcli audit`: does the test set measure what it should?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ftcli.cli.options import AsJson

if TYPE_CHECKING:
    from ftcli.plans.audit import AuditReport
    from ftcli.recipe.schema import Recipe
    from ftcli.workflows.audit import Looked
    from ftcli.workflows.audit_data import AuditedData
    from ftcli.workflows.audit_split import Mended


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
        Path | None,
        typer.Option("--fix-split", metavar="FILE", help="Write a split without leaks, and audit that."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="Change the recipe, or how data are read: --set data.image_column=img. May be given again.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look for leaks between train and test, and for bad examples."""
    from ftcli.cli.new_file import check_new
    from ftcli.cli.output import only_the_result_on_stdout, print_json, print_view
    from ftcli.errors import UsageError
    from ftcli.report.audit import audit_json, audit_page, written_page

    for path, option in ((html, "--html"), (fix_split, "--fix-split")):
        if path is not None:
            check_new(path, option)
    if html is not None and html == fix_split:
        raise UsageError("--html and --fix-split name one file", where=str(html), remedy="give two files")
    opened, looked, report = _audited(data, overrides or [], as_json)
    if not as_json:
        print_view(audit_page(report))
    with only_the_result_on_stdout():
        _write_page(opened, report, html)
        mended = _mended(opened, looked, report, fix_split)
    if as_json:
        print_json(audit_json(report, mended))
    else:
        print_view(written_page(html, mended))
    if strict:
        _refuse_errors(report, opened.recipe, as_json)


def _audited(data: Path, overrides: list[str], as_json: bool) -> tuple[AuditedData, Looked, AuditReport]:
    from ftcli.cli.output import only_the_result_on_stdout
    from ftcli.report.audit_progress import audit_progress
    from ftcli.workflows.audit import look, report_of
    from ftcli.workflows.audit_data import open_data

    with only_the_result_on_stdout():
        opened = open_data(data, overrides)
        with audit_progress(as_json=as_json) as tell:
            looked = look(opened.splits, tell)
        return opened, looked, report_of(opened.splits, looked, opened.command)


def _write_page(opened: AuditedData, report: AuditReport, html: Path | None) -> None:
    if html is not None:
        from ftcli.engine.files import write_text
        from ftcli.report.audit_html import audit_html

        write_text(html, audit_html(report, opened.splits.load))


def _mended(opened: AuditedData, looked: Looked, report: AuditReport, file: Path | None) -> Mended | None:
    from ftcli.workflows.audit_split import write_mended

    return None if file is None else write_mended(opened, looked, report, file)


def _refuse_errors(report: AuditReport, recipe: Recipe, as_json: bool) -> None:
    """Raises GateError, which tells no finding again. Beside JSON the message goes to stderr alone."""
    from ftcli.errors import GateError
    from ftcli.workflows.audit_gate import refusing, verdict

    refused = refusing(report, recipe)
    if not refused:
        return
    remedy = "each stands among the findings with its own remedy"
    gate = GateError(
        verdict(report, refused), where=", ".join({e.where: None for e in refused}), remedy=remedy
    )
    if not as_json:
        raise gate
    from ftcli.report.errors import show_error

    show_error(gate)
    raise typer.Exit(GateError.exit_code)
