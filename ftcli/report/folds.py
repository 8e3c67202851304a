"""What k-fold came to: a line a fold, the mean and how far the folds lie from it, and all of them in one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from ftcli.report import numbers
from ftcli.report.layout import FirstThatFits, add_columns, labelled, table, unbroken
from ftcli.report.safe_text import plain
from ftcli.report.style import QUIET, STRONG
from ftcli.report.summary import sure

if TYPE_CHECKING:
    from ftcli.events import Scores
    from ftcli.workflows.out_of_fold import Pooled
    from ftcli.workflows.train_folds import FoldsResult

_COLUMNS = (
    ("floor", "floor", None),
    ("val", "val", None),
    ("val F1", "val", "macro_f1"),
    ("test", "test", None),
    ("test F1", "test", "macro_f1"),
)
"""Header, measure, metric; None is what the data are judged by first."""
_FIRST = {False: ("accuracy", "accuracy"), True: ("mean_average_precision", "mean average precision")}
"""Multi-label or not -> metric and its name."""
_NOTE = (
    "{} and macro F1 of the epoch kept; floor and val on each fold's own part, test on the same examples for "
    "all; spread is the sample standard deviation"
)
_POOLED_NOTE = (
    "out of fold: each example but the test's, predicted once, by the fold that did not train on it (but picked its "
    "epoch on it, which flatters a little); in brackets 95% by bootstrap"
)


def folds_view(result: FoldsResult) -> RenderableType:
    """Scores on validation and test by fold, their mean and spread, and those over all folds together."""
    title = Text.assemble(plain(result.name, STRONG), f": {len(result.folds)} folds")
    runs = [unbroken(plain(f"fold {number}: {fold.run}")) for number, fold in enumerate(result.folds)]
    narrow = Group(_table(result, with_runs=False), Text(""), *runs)
    rows = FirstThatFits(_table(result, with_runs=True), narrow)
    note = plain(_NOTE.format(_first(result)[1]), QUIET)
    return Group(Text(""), title, Text(""), rows, Text(""), note, *_pooled(result.pooled))


def _first(result: FoldsResult) -> tuple[str, str]:
    return _FIRST[result.folds[0].test.mean_average_precision is not None]


def _table(result: FoldsResult, *, with_runs: bool) -> RenderableType:
    rows, first = table(), _first(result)[0]
    columns = [(measure, metric or first) for _, measure, metric in _COLUMNS]
    headers = [("fold", "<"), *((header, ">") for header, _, _ in _COLUMNS)]
    add_columns(rows, [*headers, ("run", "<")] if with_runs else headers)
    for number, fold in enumerate(result.folds):
        scores = [_score(getattr(fold, measure), metric) for measure, metric in columns]
        rows.add_row(str(number), *scores, *([plain(fold.run)] if with_runs else []))
    rows.add_section()
    spreads = [(result.spread(measure, metric), metric) for measure, metric in columns]
    means = [_shown(spread.mean, metric) if spread else "-" for spread, metric in spreads]
    stds = [_shown(spread.std, metric) if spread else "-" for spread, metric in spreads]
    rows.add_row("mean", *means, style=STRONG)
    rows.add_row("spread", *stds)
    return rows


def _pooled(pooled: Pooled | None) -> list[RenderableType]:
    if pooled is None:
        return []
    between, average_precision = pooled.intervals, pooled.mean_average_precision
    lines = [
        ("out of fold", plain(f"{pooled.num_examples:,} examples")),
        *(
            [("mAP", sure(numbers.accuracy(average_precision), between["mean_average_precision"]))]
            if average_precision is not None
            else []
        ),
        ("accuracy", sure(numbers.accuracy(pooled.accuracy), between["accuracy"])),
        ("macro F1", sure(f"{pooled.macro_f1:.3f}", between["macro_f1"], percent=False)),
    ]
    return [Text(""), labelled(lines), plain(_POOLED_NOTE, QUIET)]


def _score(scores: Scores | None, metric: str) -> str:
    return "-" if scores is None else _shown(getattr(scores, metric), metric)


def _shown(value: float, metric: str) -> str:
    return f"{value:.3f}" if metric == "macro_f1" else numbers.accuracy(value)
