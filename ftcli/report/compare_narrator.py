"""A study as lines: one for a run's beginning, one for its end, and what was noticed, once."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from ftcli.events import Event, Noticed, PhaseProved, PlanReady, TrialDone, TrialStarted
from ftcli.findings import Finding
from ftcli.plans.study import Finished
from ftcli.report import numbers
from ftcli.report.findings import STYLES, finding_line
from ftcli.report.headline import told
from ftcli.report.layout import unbroken
from ftcli.report.narrator import proof_line
from ftcli.report.safe_text import plain
from ftcli.report.style import BAD, QUIET, STRONG


class StudyNarrator:
    """What `ftcli train` shows of a single run, its plan and its epochs, would be pages here."""

    def __init__(self, *, in_pipe: bool) -> None:
        self._in_pipe = in_pipe
        self._told: set[tuple[str, str]] = set()
        """Rules and messages that were told; another run of the study does not repeat them."""

    def told(self, event: Event) -> Iterator[RenderableType]:
        match event:
            case TrialStarted():
                yield _heading(event)
            case TrialDone():
                yield _end(event)
            case PlanReady():
                yield from self._noticed(event.plan.findings)
            case Noticed():
                yield from self._noticed((event.finding,))
            case PhaseProved() if event.changed:
                yield proof_line(event.checked, len(event.changed), event.changed, f" in phase {event.phase}")

    def _noticed(self, findings: tuple[Finding, ...]) -> Iterator[Text]:
        for finding in findings:
            key = finding.rule, finding.message
            if finding.severity == "info" or key in self._told:
                continue
            self._told.add(key)
            line = Text(f"  {finding_line(finding)}", style=STYLES[finding.severity])
            yield unbroken(line) if self._in_pipe else line


def _heading(event: TrialStarted) -> Text:
    return unbroken(plain(f"run {event.index + 1} of {event.num_trials}: {event.trial.name}", STRONG))


def _end(event: TrialDone) -> Text:
    return unbroken(Text("  ").append_text(_what(event.finished, anew=event.anew)))


def _what(finished: Finished, *, anew: bool) -> Text:
    if finished.failure is not None:
        return plain(f"failed, exit {finished.failure.exit_code}: {finished.failure.what}", BAD)
    outcome = finished.outcome
    assert outcome is not None, "a trial that is done has one of the two"
    score = f"test {told(outcome.metric, outcome.score)}"
    took = f", {numbers.duration(outcome.seconds)}" if anew else ", finished by an earlier call"
    return plain(f"{score}{took}", QUIET)
