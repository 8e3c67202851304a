"""One line for each epoch, in columns that stay aligned however long the run: 79 characters, or 57."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from ftcli.events import EpochDone
from ftcli.report import numbers
from ftcli.report.headline import headline, score
from ftcli.report.layout import unbroken
from ftcli.report.safe_text import shorten
from ftcli.report.style import GOOD, STRONG

_PHASE_WIDTH = 10
_HEADERS = ("epoch", "phase", "LR head", "LR low", "loss", "val loss", "{score}", "{second}", "{each}/s", "s")
_WIDTHS = (5, -_PHASE_WIDTH, 8, 8, 7, 8, 6, 5, 7, 5)
"""Negative: the column starts on the left."""
_FULL_WIDTH = 79
_LEFT_OUT = ("LR low", "{each}/s", "s")
"""Columns that a page of fewer characters does without; metrics.jsonl has them."""


class EpochText:
    """A line with every column where the page is wide enough, else with fewer: never in two pieces."""

    def __init__(self, cells: tuple[str, ...], mark: str = "", style: str = "") -> None:
        self._cells, self._mark, self._style = cells, mark, style

    def text(self, width: int = _FULL_WIDTH) -> Text:
        left_out = _LEFT_OUT if width < _FULL_WIDTH else ()
        kept = [at for at, header in enumerate(_HEADERS) if header not in left_out]
        line = _aligned([self._cells[at] for at in kept], [_WIDTHS[at] for at in kept])
        return unbroken(Text(line + self._mark, style=self._style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.text(options.max_width)


def epoch_header(first: EpochDone, noun: str = "image") -> EpochText:
    """Above the lines that are like the first: of multi-label data the score is mean average precision; of a language

    model perplexity, with how often the likeliest next token is right.
    """
    score = {"accuracy": "acc"}.get(headline(first.val)[0], headline(first.val)[0])
    each = {"image": "img", "sequence": "seq"}.get(noun, f"{noun}s")
    names = {"score": score, "second": "F1", "each": each}
    if first.val.perplexity is not None:
        names |= {"score": "ppl", "second": "acc"}
    return EpochText(tuple(header.format(**names) for header in _HEADERS), style=STRONG)


def epoch_line(done: EpochDone) -> EpochText:
    """Losses are means, the score and macro F1 on validation; `*` marks the epoch to keep, so far."""
    cells = (
        str(done.epoch),
        shorten(done.phase, _PHASE_WIDTH),
        numbers.rate(done.lr_head, 2),
        numbers.rate(done.lr_lowest, 2),
        _loss(done.train_loss),
        _loss(done.val.loss),
        score(done.val, headline(done.val)[1]),
        f"{done.val.accuracy if done.val.macro_f1 is None else done.val.macro_f1:.3f}",
        f"{done.images_per_second:,.0f}",
        f"{done.seconds:.1f}" if done.seconds < 999.95 else f"{done.seconds:.0f}",
    )
    return EpochText(cells, " *" if done.best else "", GOOD if done.best else "")


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (c.ljust(-w) if w < 0 else c.rjust(w) for c, w in zip(cells, widths, strict=True))
    return " ".join(padded).rstrip()


def _loss(value: float) -> str:
    return f"{value:.4f}" if value < 100 else f"{value:.3g}"
