"""What `make faults` counts is what the tests tried."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

TESTS = """
import pytest

@pytest.mark.fault(7)
@pytest.mark.parametrize("good", [True, True, False])
def test_one_each(good):
    assert good

@pytest.mark.fault(8)
def test_many(fault_count):
    fault_count(tried=20, survived=18)
    assert False

@pytest.mark.fault(8)
def test_more(fault_count):
    fault_count(tried=5, survived=5)

@pytest.mark.fault(9)
def test_fails_without_a_loss(fault_count):
    fault_count(tried=4, survived=4)
    assert False

@pytest.mark.fault(10)
def test_not_here():
    pytest.skip("no")

@pytest.mark.fault(11)
def test_broken(no_such_fixture):
    pass

@pytest.mark.fault(12)
@pytest.mark.slow
def test_slow():
    pass

def test_of_no_fault():
    assert False
"""
COUNT = """
import json, sys, pytest
from tests.faults.__main__ import Only, expression
from tests.faults import tally as fixtures
full, rows = json.loads(sys.argv[2])
tally = fixtures.Tally()
given = ["-c", "pyproject.toml", "-p", "no:cacheprovider", "-m", expression(full), sys.argv[1]]
pytest.main(given, plugins=[tally, Only(rows), fixtures])
print(json.dumps({number: [row.tried, row.survived, row.lost] for number, row in tally.rows.items()}))
"""


def counted(folder: Path, full: bool, rows: list[int] | None) -> dict[int, list[int]]:
    (folder / "test_it.py").write_text(TESTS)
    given = [str(folder / "test_it.py"), json.dumps((full, rows))]
    done = subprocess.run(
        [sys.executable, "-c", COUNT, *given], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {int(number): counts for number, counts in json.loads(done.stdout.splitlines()[-1]).items()}


def test_every_fault_is_counted(tmp_path: Path) -> None:
    short = counted(tmp_path, full=False, rows=None)
    assert short == {7: [3, 2, 1], 8: [25, 23, 2], 9: [4, 3, 1], 10: [0, 0, 0], 11: [1, 0, 1]}
    assert counted(tmp_path, full=True, rows=[12, 7]) == {7: [3, 2, 1], 12: [1, 1, 0]}
