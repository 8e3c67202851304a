"""What k-fold came to: a line a fold, then the mean and how far the folds lie from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from ftcli.report import numbers
from ftcli.report.layout import add_columns, table
from ftcli.report.safe_text import plain
from ftcli.report.style import STRONG

if TYPE_CHECKING:
    from ftcli.events import Scores
    from ftcli.workflows.train_folds import FoldsResult

_COLUMNS = ("floor", "ceiling", "test")
_NOTE = (
    "accuracy; floor and ceiling on each fold's own part, test on the same images for all; "
    "spread is the sample standard deviation"
)


def folds_view(result: FoldsResult) -> RenderableType:
    """Accuracies of floor, ceiling and test by fold, their mean and spread."""
    rows = table()
    add_columns(rows, [("fold", "<"), *((name, ">") for name in (*_COLUMNS, "test macro F1")), ("run", "<")])
    for number, fold in enumerate(result.folds):
        scores = [_accuracy(getattr(fold, name)) for name in _COLUMNS]
        rows.add_row(str(number), *scores, f"{fold.test.macro_f1:.3f}", plain(fold.run))
    rows.add_section()
    spreads = [result.spread(name, "accuracy") for name in _COLUMNS]
    f1 = result.spread("test", "macro_f1")
    means = [numbers.accuracy(spread.mean) if spread else "-" for spread in spreads]
    stds = [numbers.accuracy(spread.std) if spread else "-" for spread in spreads]
    rows.add_row("mean", *means, f"{f1.mean:.3f}" if f1 else "-", "", style=STRONG)
    rows.add_row("spread", *stds, f"{f1.std:.3f}" if f1 else "-", "")
    title = Text.assemble(plain(result.name, STRONG), f": {len(result.folds)} folds")
    return Group(Text(""), title, Text(""), rows, Text(""), plain(_NOTE))


def _accuracy(scores: Scores | None) -> str:
    return numbers.accuracy(scores.accuracy) if scores is not None else "-"
