"""How far a run has come: everything that `--resume` needs beside tensors, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from ftcli.events import EpochDone, PhaseProved, Scores
from ftcli.findings import Finding

Compared = Literal["accuracy", "balanced_accuracy", "macro_f1", "mean_average_precision"]
"""Scores that are means over examples or classes, with an error that is known."""


@dataclass(frozen=True)
class Best:
    """An epoch (from 0) to keep, and its scores on validation."""

    epoch: int
    phase: str
    scores: Scores


@dataclass
class EpochSoFar:
    """What of the next epoch is done: its effect is in the weights already. Sums are over the examples seen."""

    step: int = 0
    """Optimizer steps taken."""
    loss: float = 0.0
    seen: int = 0
    seconds: float = 0.0
    """Of training alone."""

    def add(self, loss: float, count: int, seconds: float) -> None:
        """A step: the mean loss of so many examples."""
        self.step += 1
        self.loss += loss * count
        self.seen += count
        self.seconds += seconds


@dataclass
class Progress:
    """The one thing in the engine that changes beside the network and the optimizer."""

    phase: int = 0
    epoch: int = 0
    """The next epoch to run, or to go on with."""
    so_far: EpochSoFar = field(default_factory=EpochSoFar)
    """Of that epoch."""
    scaler: dict[str, Any] = field(default_factory=dict)
    """State of the phase's loss scaler; empty at the phase's start, and where the loss is not scaled."""
    micro: int | None = None
    """Examples at a time in training, where memory ran out with more; None: batches as they come."""
    finished: bool = False
    floor: Scores | None = None
    """The linear probe, once it has been measured."""
    best: Best | None = None
    ceiling: Best | None = None
    """The one to keep of the epochs in which the backbone trained."""
    phase_best: float | None = None
    stale: int = 0
    """Epochs of this phase since its last improvement."""
    lr_scale: float = 1.0
    """On every LR of the plan; lowered by each rollback."""
    rollbacks: int = 0
    digests: dict[str, str] | None = None
    """Frozen tensors at the start of the phase; None before it."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """The lines of metrics.jsonl."""
    proofs: list[PhaseProved] = field(default_factory=list)
    noticed: list[Finding] = field(default_factory=list)
    """Every finding of the run, in order, the ones of before a cut too."""

    def notice(self, *findings: Finding) -> None:
        """A run that goes on finds again what it found at its start: that is kept once."""
        self.noticed.extend(finding for finding in findings if finding not in self.noticed)

    def enter_phase(self, digests: dict[str, str]) -> None:
        self.digests, self.phase_best, self.stale = digests, None, 0

    def leave_phase(self, proof: PhaseProved) -> None:
        self.proofs.append(proof)
        self.phase += 1
        self.digests, self.scaler = None, {}

    def add(self, row: EpochDone) -> None:
        self.rows.append(row.to_dict())
        self.epoch, self.so_far = row.epoch + 1, EpochSoFar()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Progress:
        proofs = [PhaseProved(p["phase"], p["checked"], tuple(p["changed"])) for p in values["proofs"]]
        best, ceiling = _best(values["best"]), _best(values["ceiling"])
        floor = Scores(**values["floor"]) if values["floor"] else None
        so_far = EpochSoFar(**values["so_far"])
        noticed = [Finding(**finding) for finding in values["noticed"]]
        rest = {"proofs": proofs, "best": best, "ceiling": ceiling, "floor": floor, "so_far": so_far}
        return cls(**{**values, **rest, "noticed": noticed})


def compared_by(checkpoint_metric: str) -> Compared:
    """The score that floor and ceiling are compared on, and the epochs of both.

    Of a loss or perplexity there is no standard error without every example's own: the accuracy stands in for it.
    """
    return next((metric for metric in get_args(Compared) if metric == checkpoint_metric), "accuracy")


def score_of(metric: str, scores: Scores) -> float:
    """The checkpoint metric as a number of which more is better."""
    return -scores.loss if metric in ("loss", "perplexity") else float(getattr(scores, metric) or 0.0)


def _best(values: dict[str, Any] | None) -> Best | None:
    if values is None:
        return None
    return Best(values["epoch"], values["phase"], Scores(**values["scores"]))
