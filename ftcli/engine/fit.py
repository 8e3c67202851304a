"""The loop: performs a plan phase by phase, epoch by epoch, and proves after each phase that nothing frozen moved."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim import Optimizer

from ftcli.components import objective
from ftcli.engine import proof
from ftcli.engine.depthwise import in_pieces
from ftcli.engine.epoch import perform_epoch
from ftcli.engine.feed import Feed, feed_of
from ftcli.engine.freeze import apply_mask
from ftcli.engine.graphed import graphed
from ftcli.engine.memory import keep_freed_memory
from ftcli.engine.optimize import build_optimizer, moments, restore_moments
from ftcli.engine.precision import loss_scaler
from ftcli.engine.progress import Progress
from ftcli.engine.records import has_settled
from ftcli.engine.rollback import with_rollback
from ftcli.engine.running_stats import running_stats_of
from ftcli.engine.step import Stepper
from ftcli.engine.stopwatch import span
from ftcli.engine.work import Work
from ftcli.events import PhaseProved, PhaseStarted
from ftcli.plans.phase import Phase
from ftcli.stopping import at_safe_points


@at_safe_points()
def fit(work: Work, progress: Progress) -> None:
    """Perform what is left of the plan. `progress` and the network are moved along and hold the result.

    A signal ends it between two steps, when what is done is kept. Raises NonFiniteError. A frozen tensor that moved is
    on record in `progress.proofs`.
    """
    work.cadence.restart()
    work.steps.size = progress.micro or work.steps.size
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
        with_rollback(work, progress, stepper, lambda: perform_epoch(work, progress, phase, feed, stepper))
    work.remembered = moments(optimizer)
    _prove(work, progress, phase)


def stepper_of(work: Work, phase: Phase, feed: Feed, optimizer: Optimizer) -> Stepper:
    """What makes the phase's steps on a feed."""
    plan = work.plan
    return Stepper(
        forward=_forward(work, feed),
        optimizer=optimizer,
        scaler=loss_scaler(plan.precision, work.device),
        device=work.device,
        precision=plan.precision,
        loss=objective.build(plan.objective, plan.label_smoothing),
        clip_norm=plan.clip_norm,
        micro=work.steps,
        statistics=running_stats_of(work.network.model, phase),
    )


def _forward(work: Work, feed: Feed) -> Callable[[Tensor], Tensor]:
    """The feed's, as fast as this device has it: the same values."""
    plan = work.plan
    if plan.depthwise == "in_pieces":
        return in_pieces(feed.forward)
    if plan.cuda_graphs:
        return graphed(feed.forward, feed.head, work.device, plan.precision, work.tell)
    return feed.forward


def _prove(work: Work, progress: Progress, phase: Phase) -> None:
    after = proof.digests(work.network.model, phase.frozen_tensors)
    changed = proof.changed(progress.digests or {}, after)
    result = PhaseProved(phase.name, len(phase.frozen_tensors), changed)
    progress.leave_phase(result)
    work.tell(result)
