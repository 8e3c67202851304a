"""The loop: performs a plan phase by phase, epoch by epoch, and proves after each phase that nothing frozen moved."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ftcli.components import objective
from ftcli.engine import proof
from ftcli.engine.batches import ImageBatches
from ftcli.engine.cache.features import FeatureShelf
from ftcli.engine.cadence import Cadence
from ftcli.engine.evaluate import predict_logits, scores_of
from ftcli.engine.feed import Feed, feed_of
from ftcli.engine.freeze import apply_mask, enter_eval_mode, enter_train_mode
from ftcli.engine.images import normalise
from ftcli.engine.memory import keep_freed_memory
from ftcli.engine.network import Network
from ftcli.engine.optimize import Moments, build_optimizer, moments, restore_moments, set_lr
from ftcli.engine.placement import place_images
from ftcli.engine.precision import loss_scaler
from ftcli.engine.prefix_cache import PrefixCache
from ftcli.engine.progress import Progress
from ftcli.engine.records import has_settled, note
from ftcli.engine.seed import seed_step
from ftcli.engine.step import Stepper
from ftcli.engine.stopwatch import span
from ftcli.events import EpochDone, Listener, PhaseProved, PhaseStarted, Scores, StepDone
from ftcli.plans.data_splits import VAL
from ftcli.plans.phase import Phase
from ftcli.plans.training_plan import TrainingPlan
from ftcli.stopping import at_safe_points, safe_point, stop_asked


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
    remembered: Moments = field(default_factory=dict)
    cadence: Cadence = field(default_factory=Cadence)

    def __post_init__(self) -> None:
        plan = self.plan
        memory = self.batches.store.memory_bytes
        self.prefixes = PrefixCache(self.device, plan.precision, self.forward, memory, self.shelf)

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
        return predict_logits(self.forward, self.batches.evaluation(stream), self.device, self.plan.precision)

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
    stepper = _stepper(work, feed, optimizer)
    if progress.scaler:
        stepper.scaler.load_state_dict(progress.scaler)
    while progress.epoch < phase.end_epoch and not has_settled(work.plan, progress, phase):
        _perform_epoch(work, progress, phase, feed, stepper)
    work.remembered = moments(optimizer)
    _prove(work, progress, phase)


def _stepper(work: Work, feed: Feed, optimizer: Optimizer) -> Stepper:
    plan = work.plan
    return Stepper(
        forward=feed.forward,
        optimizer=optimizer,
        scaler=loss_scaler(plan.precision, work.device),
        device=work.device,
        precision=plan.precision,
        loss=objective.build(plan.objective, plan.label_smoothing),
        clip_norm=plan.clip_norm,
    )


def _perform_epoch(work: Work, progress: Progress, phase: Phase, feed: Feed, stepper: Stepper) -> None:
    """What is left of it: some of its steps, or the evaluation alone."""
    _train(work, progress, phase, feed, stepper)
    started = time.perf_counter()
    scores = _validate(work, progress, feed, stepper)
    so_far = progress.so_far
    lr_lowest, lr_head = _last_lrs(work.plan, phase, progress.epoch)
    row = EpochDone(
        epoch=progress.epoch,
        num_epochs=work.plan.epochs,
        phase=phase.name,
        lr_head=lr_head,
        lr_lowest=lr_lowest,
        train_loss=so_far.loss / so_far.seen,
        val=scores,
        images_per_second=work.plan.num_train / so_far.seconds,
        seconds=so_far.seconds + time.perf_counter() - started,
        best=note(work.plan, progress, phase, scores),
    )
    progress.add(row)
    work.keep(progress, stepper, best=row.best)
    work.tell(row)


def _train(work: Work, progress: Progress, phase: Phase, feed: Feed, stepper: Stepper) -> None:
    """The steps of an epoch that are not taken yet."""
    enter_train_mode(work.network, phase)
    epoch, so_far, steps = progress.epoch, progress.so_far, work.plan.steps_per_epoch
    batches = iter(feed.training(epoch, so_far.step * work.plan.accumulation))
    while so_far.step < steps:
        started = time.perf_counter()
        with _changing_nothing(work, progress, stepper):
            safe_point()
            with span("batches"):
                group = list(islice(batches, work.plan.accumulation))
        set_lr(stepper.optimizer, phase.lr_factor(epoch + so_far.step / steps))
        seed_step(work.plan.seed, work.device, "step", epoch, so_far.step)
        loss = stepper.step(group)
        so_far.add(loss, sum(len(batch.labels) for batch in group), time.perf_counter() - started)
        work.tell(StepDone(epoch, so_far.step, steps, loss))
        if work.cadence.step():
            work.keep(progress, stepper)


def _validate(work: Work, progress: Progress, feed: Feed, stepper: Stepper) -> Scores:
    enter_eval_mode(work.network)
    count = len(work.batches.store.splits.streams[VAL])
    with _changing_nothing(work, progress, stepper), span("evaluation", count):
        return scores_of(*predict_logits(feed.forward, feed.validation(), work.device, work.plan.precision))


@contextmanager
def _changing_nothing(work: Work, progress: Progress, stepper: Stepper) -> Iterator[None]:
    """What comes between two steps: where a signal breaks it off, what is done until then is kept."""
    try:
        yield
    except KeyboardInterrupt:
        if stop_asked() and work.cadence.steps:
            work.keep(progress, stepper)
        raise


def _last_lrs(plan: TrainingPlan, phase: Phase, epoch: int) -> tuple[float, float]:
    """Of the lowest stage that trains and of the head, in the epoch's last step."""
    factor = phase.lr_factor(epoch + (plan.steps_per_epoch - 1) / plan.steps_per_epoch)
    lowest, head = phase.groups[0], phase.groups[-1]
    return plan.optimizer.lr * lowest.lr_scale * factor, plan.optimizer.lr * head.lr_scale * factor


def _prove(work: Work, progress: Progress, phase: Phase) -> None:
    after = proof.digests(work.network.model, phase.frozen_tensors)
    changed = proof.changed(progress.digests or {}, after)
    result = PhaseProved(phase.name, len(phase.frozen_tensors), changed)
    progress.leave_phase(result)
    work.tell(result)
