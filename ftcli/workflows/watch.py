"""Lets the monitors look at a run whenever it has told something of itself, and tells what they found, once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ftcli.engine.progress import Progress
from ftcli.events import EpochDone, Event, Listener, Noticed, PhaseProved
from ftcli.planner.monitors import monitor
from ftcli.planner.monitors.history import History
from ftcli.plans.training_plan import TrainingPlan


@dataclass
class Watch:
    """A listener around another. Each rule is told once in a run, when it is first to be seen.

    All it knows is in `progress`: of a run that goes on it sees what it has seen before, and tells what was not kept.
    `val_counts` are validation examples of each class.
    """

    tell: Listener
    plan: TrainingPlan
    progress: Progress
    val_counts: tuple[int, ...]
    _epochs: list[EpochDone] = field(init=False, default_factory=list)
    _rules: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        for row in self.progress.rows:
            self._epochs.append(EpochDone.from_dict(row))
            self._look(self.history())

    def __call__(self, event: Event) -> None:
        self.tell(event)
        if isinstance(event, EpochDone):
            self._epochs.append(event)
        if isinstance(event, (EpochDone, PhaseProved)):
            self._look(self.history())

    def end(self) -> None:
        """No epoch follows."""
        self._look(replace(self.history(), ended=True))

    def history(self) -> History:
        epochs, proofs = tuple(self._epochs), tuple(self.progress.proofs)
        return History(self.plan, epochs, self.progress.floor, self.val_counts, proofs)

    def _look(self, history: History) -> None:
        for finding in monitor(history):
            if finding.rule in self._rules:
                continue
            self._rules.add(finding.rule)
            if finding not in self.progress.noticed:
                self.tell(Noticed(finding))
