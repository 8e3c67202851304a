"""What ftcli survives, by trying: `make faults`, `make faults ARGS=--full`.

python -m tests.faults [--full] [--row NUMBER ...]

Runs the tests marked `fault` (with --full the slow ones too) and shows for each fault how often it was injected, how
often ftcli did what it promises, and what was lost. Ends with 1 where anything was lost.
"""

from __future__ import annotations

import argparse
import sys

import pytest
from rich.console import Console
from rich.table import Table

from tests.faults.rows import FAULTS
from tests.faults.tally import Row, Tally

NOWHERE = "not gpu and not network"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", action="store_true", help="the slow tests too: minutes to hours")
    parser.add_argument("--row", type=int, nargs="+", choices=FAULTS, metavar="NUMBER", help="only these")
    return parser.parse_args()


def main() -> int:
    given = arguments()
    tally = Tally()
    options = ["-m", expression(given.full), "--no-header"]
    long = ["--hypothesis-profile=fuzz"] if given.full else []
    code = pytest.main([*options, *long], plugins=[tally, Only(given.row)])
    Console().print(table(tally.rows, given.row or list(FAULTS)))
    lost = sum(row.lost for row in tally.rows.values())
    return 1 if lost else int(code)


def expression(full: bool) -> str:
    """pytest's, for the tests that are run."""
    return f"fault and {NOWHERE}" if full else f"fault and not slow and {NOWHERE}"


class Only:
    """Leaves out the tests of other faults than these; None leaves out none."""

    def __init__(self, rows: list[int] | None) -> None:
        self.rows = set(rows or FAULTS)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [i for i in items if any(m.args[0] in self.rows for m in i.iter_markers("fault"))]


def table(rows: dict[int, Row], shown: list[int]) -> Table:
    """A fault that no test of this form injects has a dash: it was not tried, which is no survival."""
    view = Table(box=None, pad_edge=False, header_style="bold")
    view.add_column("#", justify="right")
    view.add_column("fault")
    for name in ("tried", "survived", "lost", "seconds"):
        view.add_column(name, justify="right")
    for number in shown:
        row = rows.get(number, Row())
        counts = [str(row.tried), str(row.survived), str(row.lost)] if row.tried else ["-"] * 3
        style = "bold red" if row.lost else None
        view.add_row(str(number), FAULTS[number], *counts, f"{row.seconds:.1f}", style=style)
    return view


if __name__ == "__main__":
    sys.exit(main())
