"""The page of several folds: columns by hand, and whole at any width."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ftcli.events import Scores
from ftcli.report.folds import folds_view
from ftcli.workflows.out_of_fold import Pooled
from ftcli.workflows.train_folds import FoldsResult
from tests.report.report_samples import in_pipe
from tests.report.test_summary import RESULT

VALUES = ((0.90, 0.80), (0.94, 0.86))
POOLED = Pooled(0.92, 0.85, 0.83, 540, {"accuracy": [0.9, 0.94], "macro_f1": [0.8, 0.855]})


def of_two() -> FoldsResult:
    folds = tuple(
        replace(
            RESULT,
            run=f"runs/pets-fold{k}",
            val=Scores(val, val - 0.1, 0.3, 270),
            test=Scores(test, test, 0.5, 99),
        )
        for k, (val, test) in enumerate(VALUES)
    )
    return FoldsResult("pets", folds, POOLED)


@pytest.mark.parametrize("width", [80, 60])
def test_rows_mean_and_spread(width: int) -> None:
    text = in_pipe(folds_view(of_two()), width=width)
    lines = {
        line.split()[0]: line.split()
        for line in text.splitlines()
        if "%" in line and "in brackets" not in line
    }
    assert lines["1"][:6] == ["1", "91.2%", "94.0%", "0.840", "86.0%", "0.860"]
    assert lines["mean"] == ["mean", "91.2%", "92.0%", "0.820", "83.0%", "0.830"]
    assert lines["spread"] == ["spread", "0.0%", "2.8%", "0.028", "4.2%", "0.042"]
    assert "runs/pets-fold1" in text
    assert "…" not in text
    assert "92.0% (90.0-94.0)" in text
    assert "0.830 (0.800-0.855)" in text


def test_without_what_older_runs_did_not_keep() -> None:
    folds = tuple(replace(fold, val=None) for fold in of_two().folds)
    text = in_pipe(folds_view(FoldsResult("pets", folds)))
    assert "out of fold" not in text
    assert "-" in text.split("mean")[1].split()
