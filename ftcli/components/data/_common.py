"""What every source of data shares: the options, and the stratified split."""

from __future__ import annotations

from pydantic import Field

from ftcli.registry import Choice, Options


class Split(Options):
    """Shares for validation and test, stratified by class; used for what the source has not split itself."""

    val: float = Field(default=0.15, gt=0, lt=1)
    """Share of all examples that choose the best epoch."""
    test: float = Field(default=0.15, gt=0, lt=1)
    """Share of all examples kept for one look at the end."""


class DataOptions(Choice):
    """Fields common to every source."""

    image_size: int | None = Field(default=None, ge=16, le=2048)
    """Side of the network's input in pixels; default the weights' own."""
    split: Split = Split()
    """Stratified by class, the same for the same seed; the run keeps a copy in split.json."""
