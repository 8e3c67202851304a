"""The curves of a range test as a PNG: a panel a phase, a line for all of it and one for each of its stages."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from ftcli.plans.lr_sweep import LrSweep
from ftcli.report import numbers
from ftcli.report.lr_plot import limits
from ftcli.report.safe_text import shorten

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

WIDTH, PANEL = 1200, 620
LEFT, RIGHT, TOP, BOTTOM = 90, 330, 60, 60
INK, PALE = "#222222", "#dddddd"
COLOURS = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#8c564b")
"""Of Okabe and Ito for the most part: told apart by colour-blind people too. They come again after the ninth."""


def lr_png(sweeps: Sequence[LrSweep]) -> bytes:
    """Losses are smoothed. A vertical line is the planned LR, a ring the suggested one, a cross where it diverges."""
    from PIL import Image, ImageDraw

    phases = [list(of_phase) for _, of_phase in groupby(sweeps, key=lambda sweep: sweep.phase)]
    image = Image.new("RGB", (WIDTH, PANEL * len(phases)), "white")
    draw = ImageDraw.Draw(image)
    for number, of_phase in enumerate(phases):
        _Panel(draw, number * PANEL, of_phase).show()
    written = io.BytesIO()
    image.save(written, "png")
    return written.getvalue()


class _Panel:
    """One phase's axes, from `top` pixels down."""

    def __init__(self, draw: ImageDraw, top: int, sweeps: Sequence[LrSweep]) -> None:
        self.draw, self.top, self.sweeps = draw, top, sweeps
        spans = [limits(sweep) for sweep in sweeps]
        self.low, self.high = min(low for low, _ in spans), max(high for _, high in spans)
        self.lrs = sweeps[0].lrs

    def show(self) -> None:
        self._axes()
        for number, sweep in enumerate(self.sweeps):
            self._curve(sweep, COLOURS[number % len(COLOURS)], number)

    def _x(self, lr: float) -> float:
        share = math.log(lr / self.lrs[0]) / math.log(self.lrs[-1] / self.lrs[0])
        return LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT)

    def _y(self, loss: float) -> float:
        inside = min(loss, self.high) if math.isfinite(loss) else self.high
        return self.top + TOP + (self.high - inside) / (self.high - self.low) * (PANEL - TOP - BOTTOM)

    def _axes(self) -> None:
        top, bottom = self.top + TOP, self.top + PANEL - BOTTOM
        told = f"LR range test of phase {self.sweeps[0].phase}: smoothed loss over the LR"
        self._text(LEFT, top - 52, told, size=22)
        for decade in range(round(math.log10(self.lrs[0])), round(math.log10(self.lrs[-1])) + 1):
            x = self._x(10.0**decade)
            self.draw.line([(x, top), (x, bottom)], fill=PALE)
            self._text(x - 16, bottom + 8, f"1e{decade}")
        for part in range(5):
            loss = self.low + (self.high - self.low) * part / 4
            self.draw.line([(LEFT, self._y(loss)), (WIDTH - RIGHT, self._y(loss))], fill=PALE)
            self._text(20, self._y(loss) - 9, f"{loss:.3g}")
        self.draw.rectangle([LEFT, top, WIDTH - RIGHT, bottom], outline=INK)

    def _curve(self, sweep: LrSweep, colour: str, number: int) -> None:
        points = [(self._x(lr), self._y(loss)) for lr, loss in zip(sweep.lrs, sweep.smooth, strict=False)]
        self.draw.line(points, fill=colour, width=4 if sweep.stage is None else 2, joint="curve")
        if sweep.stage is None:
            x, top = self._x(sweep.planned), self.top + TOP
            self.draw.line([(x, top), (x, self.top + PANEL - BOTTOM)], fill=colour)
            self._text(x - 26, top - 20, "planned", size=14)
        if sweep.suggestion is not None:
            x, y = points[sweep.lrs.index(sweep.suggestion.valley)]
            self.draw.ellipse([x - 7, y - 7, x + 7, y + 7], outline=colour, width=3)
        if sweep.diverges_at is not None:
            x, y = points[-1]
            self.draw.line([(x - 6, y - 6), (x + 6, y + 6)], fill=colour, width=3)
            self.draw.line([(x - 6, y + 6), (x + 6, y - 6)], fill=colour, width=3)
        self._legend(sweep, colour, number)

    def _legend(self, sweep: LrSweep, colour: str, number: int) -> None:
        line = max(min(22, (PANEL - TOP - BOTTOM) // len(self.sweeps)), 8)
        x, y = WIDTH - RIGHT + 20, self.top + TOP + line * number
        if y + line > self.top + PANEL - BOTTOM:
            return
        self.draw.line([(x, y + line / 2), (x + 24, y + line / 2)], fill=colour, width=4)
        valley = f", try {numbers.rate(sweep.suggestion.valley, 2)}" if sweep.suggestion else ""
        self._text(x + 34, y, f"{shorten(sweep.stage or 'all stages', 20)}{valley}", size=min(16, line))

    def _text(self, x: float, y: float, text: str, size: int = 16) -> None:
        from PIL import ImageFont

        self.draw.text((x, y), text, fill=INK, font=ImageFont.load_default(size))
