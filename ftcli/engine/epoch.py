"""An epoch, or what is left of one: its steps, its scores, and what is kept on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice

from ftcli.engine.batches import Batch
from ftcli.engine.diagnosis import diagnosing
from ftcli.engine.evaluate import predict_logits, scores_of
from ftcli.engine.feed import Feed
from ftcli.engine.finite import REMEDY, refuse_non_finite_model
from ftcli.engine.freeze import enter_eval_mode, enter_train_mode
from ftcli.engine.optimize import set_lr
from ftcli.engine.progress import Progress
from ftcli.engine.records import note
from ftcli.engine.seed import seed_step
from ftcli.engine.signals import signals_of
from ftcli.engine.step import Stepper
from ftcli.engine.stopwatch import span
from ftcli.engine.work import Work
from ftcli.errors import LoaderError, NonFiniteError
from ftcli.events import EpochDone, Scores, StepDone
from ftcli.plans.data_splits import VAL
from ftcli.plans.phase import Phase
from ftcli.plans.signals import Signals
from ftcli.plans.training_plan import TrainingPlan
from ftcli.stopping import safe_point, stop_asked


def perform_epoch(work: Work, progress: Progress, phase: Phase, feed: Feed, stepper: Stepper) -> None:
    """What is left of it: some of its steps, or the evaluation alone. Raises NonFiniteError."""
    _train(work, progress, phase, feed, stepper)
    started = time.perf_counter()
    scores, signals = _validate(work, progress, phase, feed, stepper)
    so_far = progress.so_far
    lr_lowest, lr_head = _last_lrs(work.plan, progress, phase)
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
        best=note(work.plan, progress, phase, scores, _val_counts(work)),
        signals=signals,
    )
    progress.add(row)
    work.keep(progress, stepper, best=row.best)
    work.tell(row)


def _train(work: Work, progress: Progress, phase: Phase, feed: Feed, stepper: Stepper) -> None:
    """The steps of an epoch that are not taken yet."""
    enter_train_mode(work.network, phase)
    so_far, accumulation = progress.so_far, work.plan.accumulation
    batches = iter(feed.training(progress.epoch, so_far.step * accumulation))
    with diagnosing(work, phase, stepper.optimizer, progress.epoch) as place:
        while so_far.step < work.plan.steps_per_epoch:
            started = time.perf_counter()
            with _changing_nothing(work, progress, stepper):
                safe_point()
                with span("batches"):
                    group = list(islice(batches, accumulation))
            place.step, place.batches = so_far.step, group
            loss = _step(work.plan, progress, phase, stepper, group)
            so_far.add(loss, sum(len(batch.labels) for batch in group), time.perf_counter() - started)
            work.tell(StepDone(progress.epoch, so_far.step, work.plan.steps_per_epoch, loss))
            if work.cadence.step() and work.keeps_steps:
                work.keep(progress, stepper)
        place.batches = []  # it need not be of the last ones' making
        # What is frozen was looked at in the phase's first epoch; that it does not move is proved after its last.
        refuse_non_finite_model(work.network.model, moved=progress.epoch > phase.start_epoch)


def _step(
    plan: TrainingPlan, progress: Progress, phase: Phase, stepper: Stepper, group: Sequence[Batch]
) -> float:
    epoch, step = progress.epoch, progress.so_far.step
    set_lr(stepper.optimizer, _lr_factor(plan, progress, phase, step))
    return stepper.step(group, partial(seed_step, plan.seed, plan.machine.device, "step", epoch, step))


def _lr_factor(plan: TrainingPlan, progress: Progress, phase: Phase, step: int) -> float:
    return phase.lr_factor(progress.epoch + step / plan.steps_per_epoch) * progress.lr_scale


def _last_lrs(plan: TrainingPlan, progress: Progress, phase: Phase) -> tuple[float, float]:
    """Of the lowest stage that trains and of the head, in the epoch's last step."""
    factor = _lr_factor(plan, progress, phase, plan.steps_per_epoch - 1)
    lowest, head = phase.groups[0], phase.groups[-1]
    return plan.optimizer.lr * lowest.lr_scale * factor, plan.optimizer.lr * head.lr_scale * factor


def _validate(
    work: Work, progress: Progress, phase: Phase, feed: Feed, stepper: Stepper
) -> tuple[Scores, Signals | None]:
    """After the epoch's last step. A loss that is no number is none to compare: it would be the best for good."""
    enter_eval_mode(work.network)
    count, precision = len(work.batches.store.splits.streams[VAL]), work.plan.precision
    with diagnosing(work, phase, stepper.optimizer, progress.epoch) as place:
        place.step = work.plan.steps_per_epoch - 1
        with _changing_nothing(work, progress, stepper), span("evaluation", count):
            logits, labels = predict_logits(
                feed.forward, feed.validation(), work.device, precision, work.passes
            )
            scores = scores_of(logits, labels)
        if not math.isfinite(scores.loss):
            raise NonFiniteError(f"the loss on validation is {scores.loss}", remedy=REMEDY)
    if work.meter is None:
        return scores, None
    return scores, signals_of(logits, labels, work.meter.after_epoch(progress.epoch, phase))


def _val_counts(work: Work) -> tuple[int, ...]:
    return tuple(work.batches.store.splits.count_per_class(VAL).values())


@contextmanager
def _changing_nothing(work: Work, progress: Progress, stepper: Stepper) -> Iterator[None]:
    """What comes between two steps: where a signal or dying loaders break it off, what is done is kept."""
    try:
        yield
    except (KeyboardInterrupt, LoaderError) as error:
        whole = stop_asked() or isinstance(error, LoaderError)
        if whole and work.cadence.steps and work.keeps_steps:
            work.keep(progress, stepper)
        raise
