"""Which tables there are, and whom to believe where they disagree."""

from __future__ import annotations

from collections.abc import Sequence

from ftcli.planner.measured import M
from ftcli.planner.table_rows import Case, Row, Table
from ftcli.planner.tables import A, B, C, D

PUBLISHED = (B, A, D, C)
"""Most trusted first: images per class say more than totals, D names no sizes, C ignores the domain."""
TRUSTED = (M, *PUBLISHED)
"""What was measured comes before what was written."""


def winning_row(case: Case, tables: Sequence[Table] = TRUSTED) -> Row:
    """The row of the most trusted table that fires; table D has one for every case."""
    return next(row for row in (table.fired(case) for table in tables) if row is not None)
