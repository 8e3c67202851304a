"""Why a run ended below its floor, as a finding with the evidence."""

from __future__ import annotations

from ftcli.engine.diagnose import gather_evidence
from ftcli.engine.work import Work
from ftcli.findings import Finding
from ftcli.planner.monitors.harm import harm
from ftcli.planner.monitors.history import History


def explain_harm(work: Work, history: History) -> Finding:
    """The network holds the weights of the last epoch; its meter knows those of the start."""
    assert work.meter is not None, "a run has one"
    return harm(history, gather_evidence(work, work.meter.start))
