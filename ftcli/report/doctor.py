"""What `ftcli doctor` found, a line a check, and what to do below those that ask for it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ftcli.plans.health import Check, Health, Status
from ftcli.report.safe_text import plain
from ftcli.report.style import BAD, CAUTION, GOOD, QUIET, STRONG

_STYLES: dict[Status, str] = {"ok": GOOD, "note": CAUTION, "problem": BAD}


def doctor_view(health: Health) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for check in health.checks:
        grid.add_row(plain(check.name, STRONG), Text(check.status, _STYLES[check.status]), _told(check))
    return Group(grid, Text(), _verdict(health.problems))


def _told(check: Check) -> Text:
    told = plain(check.found)
    return told.append("\n").append_text(plain(check.remedy, QUIET)) if check.remedy else told


def _verdict(problems: Sequence[Check]) -> Text:
    if not problems:
        return Text("this machine is fit to train on", GOOD)
    names = ", ".join(check.name for check in problems)
    return plain(f"to be mended: {names}", BAD)
