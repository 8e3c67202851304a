"""Counts what the tests marked `fault(row)` tried and what survived; a plugin of pytest's.

A test that says no number counts as one fault. One that injects many says how many with the fixture `fault_count`,
before it asserts: what is lost is counted then too. A test that fails without a loss of its own has lost one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import pytest

PROPERTY = "fault"


@dataclass
class Row:
    """Of one fault: how often it was injected, how often ftcli did what it promises, and in how long."""

    tried: int = 0
    survived: int = 0
    seconds: float = 0.0

    @property
    def lost(self) -> int:
        return self.tried - self.survived


@pytest.fixture
def fault_count(record_property: Callable[[str, object], None]) -> Callable[[int, int], None]:
    """`fault_count(tried, survived)`: how many faults this test has injected; said before it asserts."""

    def count(tried: int, survived: int) -> None:
        assert 0 <= survived <= tried, (tried, survived)
        record_property(PROPERTY, (tried, survived))

    return count


class Tally:
    """Listens to pytest's reports. `rows` by number of the fault."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = defaultdict(Row)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):  # type: ignore[no-untyped-def]
        report = yield
        for number in {mark.args[0] for mark in item.iter_markers("fault")}:
            _add(self.rows[number], report)
        return report


def _add(row: Row, report: pytest.TestReport) -> None:
    """A test's set-up and what follows it count where they fail."""
    row.seconds += report.duration
    if report.skipped or (report.passed and report.when != "call"):
        return
    told = [value for name, value in report.user_properties if name == PROPERTY and report.when == "call"]
    tried = sum(tried for tried, _ in told) if told else 1
    survived = sum(survived for _, survived in told) if told else int(report.passed)
    if report.failed and survived == tried > 0:
        survived -= 1
    row.tried += tried
    row.survived += survived
