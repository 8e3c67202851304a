"""What a run says of itself while it runs. Listeners receive these in order; none of them can change the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ftcli.findings import Finding
from ftcli.plans.forecast import Forecast
from ftcli.plans.phase import Phase
from ftcli.plans.signals import Signals
from ftcli.plans.study import Finished, Trial
from ftcli.plans.training_plan import TrainingPlan


@dataclass(frozen=True)
class Scores:
    """Measured on `num_examples` examples; loss is the plain cross-entropy, without smoothing.

    Of multi-label data a class counts as seen from a probability of 1/2 on, accuracy is the share of examples with
    exactly the right classes, and the loss is the binary cross-entropy, the mean over classes.

    Of a language model an example is a sequence, the loss that of a token, and accuracy the share of next tokens that
    are the likeliest one.
    """

    accuracy: float
    macro_f1: float | None
    """None of a language model, which has no classes."""
    loss: float
    num_examples: int
    balanced_accuracy: float | None = None
    """The mean recall of the classes that occur; None of multi-label data, and in runs from before it was measured."""
    mean_average_precision: float | None = None
    """Over the classes that occur; None of data in which an example has one class."""
    perplexity: float | None = None
    """exp of the loss, of a language model alone."""
    loss_error: float | None = None
    """The standard error of the loss over sequences, of a language model alone."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class FoldStarted:
    """A run of several begins: `fold`, from 0, of `num_folds`. Its own events follow."""

    fold: int
    num_folds: int


@dataclass(frozen=True)
class TrialStarted:
    """A run of a study begins: `index`, from 0, of `num_trials`. Its own events follow."""

    index: int
    num_trials: int
    trial: Trial


@dataclass(frozen=True)
class TrialDone:
    """What became of it. `anew`: it was run now, or gone on with; an earlier call has left it otherwise."""

    finished: Finished
    anew: bool


@dataclass(frozen=True)
class PlanReady:
    """Before anything is computed. `run` is the run folder, `notes` what was found out so far (weights ...)."""

    plan: TrainingPlan
    run: str
    notes: tuple[str, ...] = ()
    forecast: tuple[Forecast, ...] = ()
    """By phase; empty where nothing was timed."""


@dataclass(frozen=True)
class Working:
    """Something that takes a while outside the epochs: decoding images, features, a probe. total may be unknown."""

    what: str
    done: int
    total: int | None = None


@dataclass(frozen=True)
class PhaseStarted:
    index: int
    phase: Phase
    epoch: int
    num_phases: int


@dataclass(frozen=True)
class StepDone:
    """`step` of `num_steps` in this epoch, counted from 1; loss is the mean over the step's examples."""

    epoch: int
    step: int
    num_steps: int
    loss: float


@dataclass(frozen=True)
class EpochDone:
    """`epoch` counts from 0. LRs are those of the epoch's last step; lr_lowest is the lowest stage that trains."""

    epoch: int
    num_epochs: int
    phase: str
    lr_head: float
    lr_lowest: float
    train_loss: float
    val: Scores
    images_per_second: float
    seconds: float
    best: bool
    """It is the one to keep, so far: see train.checkpoint_rule."""
    signals: Signals | None = None
    """What monitors go by; None in runs from before it was measured."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> EpochDone:
        """A line of metrics.jsonl."""
        signals = values.get("signals")
        known = {"val": Scores(**values["val"]), "signals": Signals.from_dict(signals) if signals else None}
        return cls(**{**values, **known})


@dataclass(frozen=True)
class PhaseProved:
    """Frozen tensors compared, bit for bit, with themselves at the start of the phase."""

    phase: str
    checked: int
    changed: tuple[str, ...]


@dataclass(frozen=True)
class Noticed:
    finding: Finding


@dataclass(frozen=True)
class RunDone:
    """The run is complete, and everything it leaves is in the folder `run`."""

    run: str
    test: Scores
    seconds: float
    image: Callable[[str], Any] | None = None
    """An example's image by its name, while the data are open: to open them again may take as long as at first."""


Event = (
    FoldStarted
    | TrialStarted
    | TrialDone
    | PlanReady
    | Working
    | PhaseStarted
    | StepDone
    | EpochDone
    | PhaseProved
    | Noticed
    | RunDone
)
Listener = Callable[[Event], None]
