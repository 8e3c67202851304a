"""Monitors: what the history of a run shows, as findings with the epochs and numbers, and what to change.

Every monitor is a function from a History to at most a few findings, and says nothing of a run that is well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ftcli.findings import Finding
from ftcli.planner.monitors.collapse import collapse, divergence
from ftcli.planner.monitors.frozen import moved_while_frozen
from ftcli.planner.monitors.history import History
from ftcli.planner.monitors.no_learning import no_learning
from ftcli.planner.monitors.noise import noise
from ftcli.planner.monitors.overfitting import overfitting
from ftcli.planner.monitors.unfreezing import unfreezing

Monitor = Callable[[History], Iterable[Finding]]
MONITORS: tuple[Monitor, ...] = (
    moved_while_frozen,
    collapse,
    divergence,
    unfreezing,
    no_learning,
    overfitting,
    noise,
)


def monitor(history: History) -> tuple[Finding, ...]:
    """What is to be seen now; the gravest causes first."""
    return tuple(finding for look in MONITORS for finding in look(history))
