"""Runs that fail are told what is wrong, runs that are well nothing: some of the benchmark's, and all of them.

The environment's FASHION_MNIST names the folder of the benchmark's --fashion-mnist; without it runs on clothes skip.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.benchmarks.monitors.cases import BROKEN, HEALTHY, Case
from tests.benchmarks.monitors.runs import Bench, perform

SHORT = (
    "linear probe",
    "LR 1e-7, the head alone",
    "labels drawn by lot, linear probe",
    "a running mean in the frozen part",
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = os.environ.get("FASHION_MNIST")
    return Bench(tmp_path_factory.mktemp("monitors"), seed=302, fashion=Path(folder) if folder else None)


def named(case: Case) -> str:
    return f"{case.row}: {case.how}"


def is_short(case: Case) -> bool:
    return case.how in SHORT


@pytest.mark.parametrize("case", [c for c in (*HEALTHY, *BROKEN) if is_short(c)], ids=named)
def test_some_runs_are_told_what_is_wrong_with_them(case, bench):
    outcome = perform(case, bench)
    assert outcome.right, outcome.line()


@pytest.mark.slow
@pytest.mark.parametrize("case", [c for c in (*HEALTHY, *BROKEN) if not is_short(c)], ids=named)
def test_every_run_is_told_what_is_wrong_with_it(case, bench):
    if not bench.has(case):
        pytest.skip("FASHION_MNIST names no folder")
    outcome = perform(case, bench)
    assert outcome.right, outcome.line()


def test_there_are_so_many_runs_and_two_of_each_row():
    assert len(HEALTHY) >= 20
    assert len(BROKEN) >= 20
    assert min(Counter(case.row for case in BROKEN).values()) >= 2
    assert not any(case.rule for case in HEALTHY)
    assert all(case.rule for case in BROKEN)
    cases = [named(case) for case in (*HEALTHY, *BROKEN)]
    assert len(set(cases)) == len(cases)
