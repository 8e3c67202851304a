"""What a run works with: its plan, the network, where batches come from, and where its state is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn

from ftcli.engine.asked import Coming
from ftcli.engine.batches import ImageBatches
from ftcli.engine.cache.features import FeatureShelf
from ftcli.engine.cadence import Cadence
from ftcli.engine.compiled import Programs
from ftcli.engine.evaluate import predict_logits, scores_of
from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.inputs import placed, ready
from ftcli.engine.micro_batch import MicroBatch
from ftcli.engine.network import Network
from ftcli.engine.optimize import Moments, moments
from ftcli.engine.packed_batches import PackedBatches
from ftcli.engine.prefix_cache import PrefixCache
from ftcli.engine.progress import Progress
from ftcli.engine.step import Stepper
from ftcli.engine.stopwatch import span
from ftcli.engine.text_batches import TextBatches
from ftcli.events import Listener, Scores
from ftcli.plans.inputs import noun_of
from ftcli.plans.phase import Phase
from ftcli.plans.signals import StageDrift
from ftcli.plans.training_plan import TrainingPlan

Batches = ImageBatches | TextBatches | PackedBatches
"""Where they come from."""


class Keeper(Protocol):
    """What happens to a run's state: after each epoch, and within one when it is time or a signal came."""

    def save(self, progress: Progress, model: nn.Module, remembered: Moments, *, best: bool) -> None: ...


class Meter(Protocol):
    """Measures how far the network has moved from `start`, the first values of what may move. It changes nothing."""

    start: dict[str, Tensor]

    def measure(self, *, features: bool) -> tuple[StageDrift, ...]: ...

    def after_epoch(self, epoch: int, phase: Phase, /) -> tuple[StageDrift, ...]: ...


@dataclass
class Work:
    """A plan and all that is needed to perform it. `augment` are the resolved options of that section."""

    plan: TrainingPlan
    network: Network
    batches: Batches
    augment: Any
    tell: Listener
    keeper: Keeper | None = None
    shelf: FeatureShelf | None = None
    prefixes: PrefixCache = field(init=False)
    steps: MicroBatch = field(init=False)
    passes: MicroBatch = field(init=False)
    """How many examples fit into memory, in training and where no gradient is asked for."""
    remembered: Moments = field(default_factory=dict)
    cadence: Cadence = field(default_factory=Cadence)
    meter: Meter | None = None
    from_kept: set[str] = field(default_factory=set)
    """The phases whose batches were what the frozen part had made of images, by name."""
    after: tuple[Coming, ...] = ()
    """What will be kept by other work on the same examples and the same `prefixes`, once this is done."""

    def __post_init__(self) -> None:
        plan = self.plan
        memory = self.batches.store.memory_bytes
        noun = noun_of(plan.preprocessing)
        self.steps, self.passes = MicroBatch(self.tell, noun=noun), MicroBatch(self.tell, noun=noun)
        self.prefixes = PrefixCache(
            self.device, plan.precision, self.forward, memory, self.shelf, self.passes
        )
        if plan.compile == "compiled":
            self.prefixes.programs = Programs(plan.batch_size, self.device, lambda event: self.tell(event))

    @property
    def device(self) -> str:
        return self.plan.machine.device

    def forward(self, batch: Tensor) -> Tensor:
        """uint8 images (B, 3, S, S), or tokens (B, L) -> logits (B, C); (B, L, V) of a language model."""
        inputs = self.plan.preprocessing
        logits: Tensor = self.network.model(ready(placed(batch, inputs, self.device), inputs))
        return logits

    def evaluate(self, stream: str) -> Scores:
        """Scores of the network as it is."""
        return scores_of(*self.predict(stream))

    def predict(self, stream: str) -> tuple[Tensor, Tensor]:
        """Logits (N, C) and labels (N,) of a stream, through the whole network."""
        enter_eval_mode(self.network)
        batches = self.batches.evaluation(stream)
        return predict_logits(self.forward, batches, self.device, self.plan.precision, self.passes)

    @property
    def keeps_steps(self) -> bool:
        """Whether the state is kept within an epoch too: not where a rollback may need the one at its start."""
        return self.plan.on_non_finite == "stop"

    def keep(self, progress: Progress, stepper: Stepper, *, best: bool = False) -> None:
        """The state as it is between two steps."""
        if self.keeper is not None:
            progress.scaler = stepper.scaler.state_dict()
            progress.micro = self.steps.size
            with span("checkpoint"):
                self.keeper.save(progress, self.network.model, moments(stepper.optimizer), best=best)
        self.cadence.restart()
