"""Where the time of a run went, as a table; and how much of the machine its training used."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ftcli.plans.profile import Compute, Part, Profile
from ftcli.report.layout import add_columns, heading, table
from ftcli.report.safe_text import plain, shorten
from ftcli.report.style import QUIET

_NAME_WIDTH = 24


def profile_view(profile: Profile) -> RenderableType:
    """A row for each part, in the order in which they began, each below the one that it lies in."""
    lines: list[RenderableType] = [_beside(profile.beside)] if profile.beside else []
    if profile.compute is not None:
        lines.append(_of_the_ceiling(profile.compute))
    return Group(heading(f"Where the time went: {profile.seconds:.1f} s"), Text(""), _parts(profile), *lines)


def _parts(profile: Profile) -> Table:
    rows = table(footer=True)
    headers = ("part", "seconds", "share", "with parts", "examples", "a second")
    add_columns(rows, zip(headers, "<>>>>>", strict=True))
    for part in sorted(profile.parts, key=lambda part: part.path == ()):
        name = "  " * (len(part.path) - 1) + (part.path[-1] if part.path else "other")
        total = _with_parts(part, profile.parts)
        rows.add_row(
            plain(shorten(name, _NAME_WIDTH)),
            f"{part.seconds:.2f}",
            f"{part.seconds / profile.seconds:.1%}",
            "" if total == part.seconds else f"{total:.2f}",
            f"{part.images:,}" if part.images else "",
            f"{part.images / total:,.0f}" if part.images and total else "",
        )
    for column, text in zip(rows.columns, ("all", f"{profile.seconds:.2f}", "100.0%"), strict=False):
        column.footer = text
    return rows


def _with_parts(part: Part, parts: tuple[Part, ...]) -> float:
    if not part.path:
        return part.seconds
    return sum(other.seconds for other in parts if other.path[: len(part.path)] == part.path)


def _beside(parts: tuple[Part, ...]) -> Text:
    told = ", ".join(f"{' '.join(part.path)} {part.seconds:.2f} s" for part in parts)
    return plain(f"meanwhile in other threads: {told}", QUIET)


def _of_the_ceiling(compute: Compute) -> Text:
    share = f"{compute.share:.0%}" if compute.share >= 0.01 else f"{compute.share:.2%}"
    ceiling = f"{compute.ceiling / 1e9:,.0f} GFLOP/s ({compute.precision}, measured)"
    return plain(f"forward and backward reached {share} of this machine's {ceiling}")
