"""Which tables there are, and whom to believe where they disagree."""

from __future__ import annotations

from ftcli.planner.measured import M
from ftcli.planner.table_rows import Case, Row
from ftcli.planner.tables import A, B, C, D

TRUSTED = (M, B, A, D, C)
"""Most trusted first: what was measured; images per class say more than totals, D names no sizes, C ignores the
domain."""


def winning_row(case: Case) -> Row:
    """The row of the most trusted table that fires; table D has one for every case."""
    return next(row for row in (table.fired(case) for table in TRUSTED) if row is not None)
