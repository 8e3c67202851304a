"""The few styles there are: readable on light and on dark terminals, so no yellow, cyan or blue."""

from __future__ import annotations

GOOD = "green"
CAUTION = "color(166)"
BAD = "bold red"
STRONG = "bold"
QUIET = "dim"
