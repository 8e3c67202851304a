"""The loop: performs a plan phase by phase, epoch by epoch, and proves after each phase that nothing frozen moved."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ftcli.components import objective
from ftcli.engine import proof
from ftcli.engine.batches import ImageBatches
from ftcli.engine.cache.features import FeatureShelf
from ftcli.engine.depthwise import in_pieces
from ftcli.engine.diagnosis import diagnosing
from ftcli.engine.evaluate import predict_logits, scores_of
from ftcli.engine.feed import Feed, feed_of
from ftcli.engine.finite import refuse_non_finite_model
from ftcli.engine.freeze import apply_mask, enter_eval_mode, enter_train_mode
from ftcli.engine.images import normalise
from ftcli.engine.memory import keep_freed_memory
from ftcli.engine.micro_batch import MicroBatch
from ftcli.engine.network import Network
from ftcli.engine.optimize import Moments, build_optimizer, moments, restore_moments, set_lr
from ftcli.engine.placement import place_images
from ftcli.engine.precision import loss_scaler
from ftcli.engine.prefix_cache import PrefixCache
from ftcli.engine.progress import Best, Progress, score_of
from ftcli.engine.rollback import with_rollback
from ftcli.engine.running_stats import running_stats_of
from ftcli.engine.seed import seed_step
from ftcli.engine.step import Stepper
from ftcli.engine.stopwatch import span
from ftcli.events import EpochDone, Listener, PhaseProved, PhaseStarted, Scores, StepDone
from ftcli.plans.data_splits import VAL
from ftcli.plans.phase import Phase
from ftcli.plans.training_plan import TrainingPlan
from ftcli.stopping import safe_point


class Keeper(Protocol):
    """What happens to a run's state after each epoch."""

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


def fit(work: Work, progress: Progress) -> None:
    """Perform what is left of the plan. `progress` and the network are moved along and hold the result.

    Raises NonFiniteError. A frozen tensor that moved is on record in `progress.proofs`.
    """
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
    while progress.epoch < phase.end_epoch and not _has_settled(work.plan, progress, phase):
        with_rollback(work, progress, optimizer, lambda: _perform_epoch(work, progress, phase, feed, stepper))
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


def _perform_epoch(work: Work, progress: Progress, phase: Phase, feed: Feed, stepper: Stepper) -> None:
    started = time.perf_counter()
    loss = _train(work, progress, phase, feed, stepper)
    train_seconds = time.perf_counter() - started
    enter_eval_mode(work.network)
    with span("evaluation", len(work.batches.store.splits.streams[VAL])):
        batches, precision = feed.validation(), work.plan.precision
        scores = scores_of(*predict_logits(feed.forward, batches, work.device, precision, work.passes))
    best = _note(work.plan, progress, phase, scores)
    lrs = {group["names"][0]: group["lr"] for group in stepper.optimizer.param_groups}
    row = EpochDone(
        epoch=progress.epoch,
        num_epochs=work.plan.epochs,
        phase=phase.name,
        lr_head=lrs[phase.groups[-1].params[0]],
        lr_lowest=lrs[phase.groups[0].params[0]],
        train_loss=loss,
        val=scores,
        images_per_second=work.plan.num_train / train_seconds,
        seconds=time.perf_counter() - started,
        best=best,
    )
    progress.add(row)
    if work.keeper is not None:
        with span("checkpoint"):
            work.keeper.save(progress, work.network.model, moments(stepper.optimizer), best=best)
    work.tell(row)


def _train(work: Work, progress: Progress, phase: Phase, feed: Feed, stepper: Stepper) -> float:
    """One epoch; returns the mean loss over examples."""
    enter_train_mode(work.network, phase)
    steps, epoch = work.plan.steps_per_epoch, progress.epoch
    batches = iter(feed.training(epoch))
    total, seen = 0.0, 0
    with diagnosing(work, phase, stepper.optimizer, epoch) as place:
        for step in range(steps):
            safe_point()
            with span("batches"):
                group = list(islice(batches, work.plan.accumulation))
            place.step, place.batches = step, group
            set_lr(stepper.optimizer, phase.lr_factor(epoch + step / steps) * progress.lr_scale)
            loss = stepper.step(group, partial(seed_step, work.plan.seed, work.device, "step", epoch, step))
            count = sum(len(batch.labels) for batch in group)
            total, seen = total + loss * count, seen + count
            work.tell(StepDone(epoch, step + 1, steps, loss))
        place.batches = []  # it need not be of the last ones' making
        refuse_non_finite_model(work.network.model)
    return total / seen


def _note(plan: TrainingPlan, progress: Progress, phase: Phase, scores: Scores) -> bool:
    """Bring the records up to date; True when this epoch is the best of the run."""
    score = score_of(plan.checkpoint_metric, scores)
    this = Best(progress.epoch, phase.name, scores)
    rule = phase.plateau or plan.early_stopping
    if progress.phase_best is None or score > progress.phase_best + (rule.min_delta if rule else 0.0):
        progress.phase_best, progress.stale = score, 0
    else:
        progress.stale += 1
    if phase.trains_backbone and _beats(plan, scores, progress.ceiling):
        progress.ceiling = this
    if _beats(plan, scores, progress.best):
        progress.best = this
        return True
    return False


def _beats(plan: TrainingPlan, scores: Scores, record: Best | None) -> bool:
    metric = plan.checkpoint_metric
    return record is None or score_of(metric, scores) > score_of(metric, record.scores)


def _has_settled(plan: TrainingPlan, progress: Progress, phase: Phase) -> bool:
    """On a plateau the next phase begins; in the last phase early stopping ends the run."""
    last = progress.phase == len(plan.phases) - 1
    rule = plan.early_stopping if last else phase.plateau
    return rule is not None and progress.stale >= rule.patience


def _prove(work: Work, progress: Progress, phase: Phase) -> None:
    after = proof.digests(work.network.model, phase.frozen_tensors)
    changed = proof.changed(progress.digests or {}, after)
    result = PhaseProved(phase.name, len(phase.frozen_tensors), changed)
    progress.leave_phase(result)
    work.tell(result)
