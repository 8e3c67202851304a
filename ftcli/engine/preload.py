"""Libraries that are needed at the end, imported while something else computes."""

from __future__ import annotations

from importlib import import_module
from threading import Thread

METRICS = "torchmetrics.functional.classification"
FEW = 2_000
"""Examples: a run of so many would wait for the import at its end. One of more has the 100 MB to spare only then, when
what its steps kept has been given back."""


def preload(num_examples: int, name: str = METRICS) -> None:
    """In a thread, for a run of few. What goes wrong goes wrong again, and is told, where the library is used."""
    if num_examples > FEW:
        return
    Thread(target=_import, args=(name,), name=f"import {name}", daemon=True).start()


def _import(name: str) -> None:
    try:
        import_module(name)
    except Exception:
        return
