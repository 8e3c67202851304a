"""A recipe in three lines, and the types of the fixtures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ftcli.errors import Problem

RECIPE = "data: digits\nmodel: {backbone: torchvision/resnet18}\nstrategy: full\n"

Write = Callable[..., Path]
"""(text, name="x.yaml") -> its path, in the current directory."""
Told = Callable[..., list[Problem]]
"""(text, *overrides) -> the problems."""
