"""A study's page: its variants before its runs."""

from __future__ import annotations

import re
from dataclasses import replace

from ftcli.plans.study import Failure, Finished, Trial
from ftcli.report.html.study import study_page
from tests.report.compare_samples import FOUND
from tests.report.html.run_samples import record


def test_a_study_is_told_by_its_variants() -> None:
    """The best is the best mean of the largest size, never the luckiest of the runs; the sizes are a chart."""
    page = study_page([record(), record()], FOUND)
    assert (
        "<b>Best: <bdi>scratch</bdi></b> 96.0% test accuracy on 800 training examples, mean of 2 seeds"
        in page
    )
    assert "surely better than 1 of 2 others" in page
    assert "Crossover: scratch catches up with full, lr=1e-3 at about 690 training examples." in page
    assert "do not compare" not in page
    headings = re.findall(r'<h2 id="([a-z-]+)">', page)
    assert headings[:4] == ["variants", "tests", "learning-curves", "results"]
    chart = page[page.index('id="learning-curves"') :]
    assert re.findall(r'text-anchor="middle">([0-9,]+|training examples)<', chart)[:4] == [
        "800",
        "200",
        "50",
        "training examples",
    ]
    for told in ("+22.0 to +24.0", "&lt;0.001", "4.56T", "61.0% ±1.4"):
        assert told in page


def test_a_study_without_curves_tests_or_all_of_its_runs() -> None:
    trial = Trial("<b>bad</b>", "bad", None, 0, ())
    runs = (
        Finished(trial, failure=Failure("no <such> LR", None, None, 2)),
        Finished(Trial("x", "x", 1, 0, ())),
    )
    page = study_page([record()], replace(FOUND, cells=FOUND.cells[:1], paired=(), crossover=None, runs=runs))
    assert "learning-curves" not in page
    assert 'id="tests"' not in page
    assert "exit 2: no &lt;such&gt; LR" in page
    assert "not run to its end yet" in page
