"""The PEFT library: imported late, as that takes seconds, and only where a recipe asks for adapters."""

from __future__ import annotations

from typing import Any

from ftcli.components.backbone import quietly
from ftcli.errors import ModelError

NAME = "default"
"""Of the one adapter that a network has, by PEFT's own custom."""


def peft() -> Any:
    """The package. Raises ModelError where it is not installed."""
    try:
        with quietly():
            import peft
    except ImportError as error:
        what = f"adapters need the package peft: {error}"
        raise ModelError(what, where="strategy.kind", remedy="pip install 'ftcli[peft]'") from error
    return peft
