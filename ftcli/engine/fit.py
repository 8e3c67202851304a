"""The loop: performs a plan phase by phase, epoch by epoch, and proves after each phase that nothing frozen moved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ftcli.components import objective
from ftcli.engine import proof
from ftcli.engine.batches import ImageBatches
from ftcli.engine.cache.features import FeatureShelf
from ftcli.engine.cadence import Cadence
from ftcli.engine.depthwise import in_pieces
from ftcli.engine.epoch import perform_epoch
from ftcli.engine.evaluate import predict_logits, scores_of
from ftcli.engine.feed import Feed, feed_of
from ftcli.engine.freeze import apply_mask, enter_eval_mode
from ftcli.engine.images import normalise
from ftcli.engine.memory import keep_freed_memory
from ftcli.engine.micro_batch import MicroBatch
from ftcli.engine.network import Network
from ftcli.engine.optimize import Moments, build_optimizer, moments, restore_moments
from ftcli.engine.placement import place_images
from ftcli.engine.precision import loss_scaler
from ftcli.engine.prefix_cache import PrefixCache
from ftcli.engine.progress import Progress
from ftcli.engine.records import has_settled
from ftcli.engine.rollback import with_rollback
from ftcli.engine.running_stats import running_stats_of
from ftcli.engine.step import Stepper
from ftcli.engine.stopwatch import span
from ftcli.events import Listener, PhaseProved, PhaseStarted, Scores
from ftcli.plans.phase import Phase
from ftcli.plans.training_plan import TrainingPlan
from ftcli.stopping import at_safe_points


class Keeper(Protocol):
    """What happens to a run's state: after each epoch, and within one when it is time or a signal came."""

    def save(self, progress: Progress, model: nn.Module, remembered: Moments, *, best: bool) -> None: ...


@dataclass
class Work:
    """A plan and all that is needed to perform it. `augment` are the resolved options of that section."""

    plan: TrainingPlan
    network: Network
    batches: ImageBatches
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

    def __post_init__(self) -> None:
        plan = self.plan
        memory = self.batches.store.memory_bytes
        self.steps, self.passes = MicroBatch(self.tell), MicroBatch(self.tell)
        self.prefixes = PrefixCache(
            self.device, plan.precision, self.forward, memory, self.shelf, self.passes
        )

    @property
    def device(self) -> str:
        return self.plan.machine.device

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """uint8 images (B, 3, S, S) -> logits (B, C)."""
        images = place_images(images_BCHW, self.device)
        logits: Tensor = self.network.model(normalise(images, self.plan.preprocessing))
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
            with span("checkpoint"):
                self.keeper.save(progress, self.network.model, moments(stepper.optimizer), best=best)
        self.cadence.restart()


@at_safe_points()
def fit(work: Work, progress: Progress) -> None:
    """Perform what is left of the plan. `progress` and the network are moved along and hold the result.

    A signal ends it between two steps, when what is done is kept. Raises NonFiniteError. A frozen tensor that moved is
    on record in `progress.proofs`.
    """
    work.cadence.restart()
    keep_freed_memory()
    cuda = [torch.cuda.current_device()] if work.device == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        while not progress.finished:
            phase = work.plan.phases[progress.phase]
            with span(f"phase {phase.name}"):
                _perform_phase(work, progress, phase)
            progress.finished = progress.phase == len(work.plan.phases)


def _perform_phase(work: Work, progress: Progress, phase: Phase) -> None:
    apply_mask(work.network.model, phase.mask)
    optimizer = build_optimizer(work.network.model, phase, work.plan.optimizer)
    restore_moments(optimizer, work.remembered)
    if progress.digests is None:
        progress.enter_phase(proof.digests(work.network.model, phase.frozen_tensors))
    work.tell(PhaseStarted(progress.phase, phase, progress.epoch, len(work.plan.phases)))
    feed = feed_of(work, phase)
    stepper = stepper_of(work, phase, feed, optimizer)
    if progress.scaler:
        stepper.scaler.load_state_dict(progress.scaler)
    while progress.epoch < phase.end_epoch and not has_settled(work.plan, progress, phase):
        with_rollback(work, progress, optimizer, lambda: perform_epoch(work, progress, phase, feed, stepper))
    work.remembered = moments(optimizer)
    _prove(work, progress, phase)


def stepper_of(work: Work, phase: Phase, feed: Feed, optimizer: Optimizer) -> Stepper:
    """What makes the phase's steps on a feed."""
    plan = work.plan
    return Stepper(
        forward=in_pieces(feed.forward) if plan.depthwise == "in_pieces" else feed.forward,
        optimizer=optimizer,
        scaler=loss_scaler(plan.precision, work.device),
        device=work.device,
        precision=plan.precision,
        loss=objective.build(plan.objective, plan.label_smoothing),
        clip_norm=plan.clip_norm,
        micro=work.steps,
        statistics=running_stats_of(work.network.model, phase),
    )


def _prove(work: Work, progress: Progress, phase: Phase) -> None:
    after = proof.digests(work.network.model, phase.frozen_tensors)
    changed = proof.changed(progress.digests or {}, after)
    result = PhaseProved(phase.name, len(phase.frozen_tensors), changed)
    progress.leave_phase(result)
    work.tell(result)
