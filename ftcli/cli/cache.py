"""`ftcli cache`: what is kept on disk between runs."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from ftcli.cli.options import AsJson

if TYPE_CHECKING:
    from ftcli.engine.cache.manifest import Kind


class KindOption(StrEnum):
    images = "images"
    features = "features"


app = typer.Typer(
    help="What is kept between runs: ls, clear.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
)


@app.command()
def ls(as_json: AsJson = False) -> None:
    """List what is kept, the last used first."""
    from ftcli.cli.output import print_json, print_view
    from ftcli.report.cache import cache_view
    from ftcli.workflows.cache import cache_listing

    listing = cache_listing()
    if as_json:
        print_json(listing.to_dict())
    else:
        print_view(cache_view(listing))


@app.command()
def clear(
    kind: Annotated[KindOption | None, typer.Option(help="These alone.")] = None,
    older: Annotated[
        float | None, typer.Option(metavar="DAYS", min=0, help="What was not used for so many days.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove what is kept; what a run is using stays."""
    from ftcli.cli.output import print_json, print_view
    from ftcli.report.cache import cleared_line
    from ftcli.workflows.cache import clear_cache

    asked: Kind | None = None if kind is None else kind.value
    if not yes:
        _ask(asked, older, as_json)
    cleared = clear_cache(asked, older)
    if as_json:
        print_json(cleared.to_dict())
    else:
        print_view(cleared_line(cleared))


def _ask(kind: Kind | None, older: float | None, as_json: bool) -> None:
    """Raises UsageError where nobody can answer."""
    import sys

    from ftcli.cli.output import print_view
    from ftcli.errors import UsageError
    from ftcli.report.cache import to_clear_view
    from ftcli.workflows.cache import would_clear

    if as_json or not sys.stdin.isatty():
        raise UsageError("nobody is here to be asked", where="ftcli cache clear", remedy="give --yes")
    print_view(to_clear_view(would_clear(kind, older)))
    if not typer.confirm("Remove these?"):
        raise typer.Exit()
