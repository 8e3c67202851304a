"""Libraries that are needed at the end, imported while something else computes."""

from __future__ import annotations

from importlib import import_module
from threading import Thread

METRICS = "torchmetrics.functional.classification"


def preload(name: str = METRICS) -> None:
    """In a thread. What goes wrong goes wrong again, and is told, where the library is used."""
    Thread(target=_import, args=(name,), name=f"import {name}", daemon=True).start()


def _import(name: str) -> None:
    try:
        import_module(name)
    except Exception:
        return
