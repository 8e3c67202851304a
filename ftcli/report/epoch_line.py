"""One line for each epoch, in columns that stay aligned however long the run: 79 characters."""

from __future__ import annotations

from rich.text import Text

from ftcli.events import EpochDone
from ftcli.report import numbers
from ftcli.report.layout import unbroken
from ftcli.report.safe_text import shorten
from ftcli.report.style import GOOD, STRONG

_PHASE_WIDTH = 10
_HEADERS = ("epoch", "phase", "LR head", "LR low", "loss", "val loss", "{score}", "F1", "img/s", "s")
_WIDTHS = (5, -_PHASE_WIDTH, 8, 8, 7, 8, 6, 5, 7, 5)
"""Negative: the column starts on the left."""


def epoch_header(first: EpochDone) -> Text:
    """Above the lines that are like the first: of multi-label data the score is mean average precision."""
    score = "acc" if first.val.mean_average_precision is None else "mAP"
    return unbroken(Text(_aligned(tuple(h.format(score=score) for h in _HEADERS)), style=STRONG))


def epoch_line(done: EpochDone) -> Text:
    """Losses are means, the score and macro F1 on validation; `*` marks the best epoch so far."""
    average_precision = done.val.mean_average_precision
    cells = (
        str(done.epoch),
        shorten(done.phase, _PHASE_WIDTH),
        numbers.rate(done.lr_head, 2),
        numbers.rate(done.lr_lowest, 2),
        _loss(done.train_loss),
        _loss(done.val.loss),
        numbers.accuracy(done.val.accuracy if average_precision is None else average_precision),
        f"{done.val.macro_f1:.3f}",
        f"{done.images_per_second:,.0f}",
        f"{done.seconds:.1f}" if done.seconds < 999.95 else f"{done.seconds:.0f}",
    )
    mark = " *" if done.best else ""
    return unbroken(Text(_aligned(cells) + mark, style=GOOD if done.best else ""))


def _aligned(cells: tuple[str, ...]) -> str:
    padded = (c.ljust(-w) if w < 0 else c.rjust(w) for c, w in zip(cells, _WIDTHS, strict=True))
    return " ".join(padded).rstrip()


def _loss(value: float) -> str:
    return f"{value:.4f}" if value < 100 else f"{value:.3g}"
