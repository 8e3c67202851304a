"""The sweep of a range test: a phase's own steps at LRs that grow, on a model that is afterwards as before."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count, islice

from ftcli.engine.batches import Batch
from ftcli.engine.feed import Feed
from ftcli.engine.fit import stepper_of
from ftcli.engine.freeze import apply_mask, enter_train_mode
from ftcli.engine.optimize import build_optimizer, restore_moments
from ftcli.engine.seed import seed_step
from ftcli.engine.snapshot import left_as_it_was
from ftcli.engine.work import Work
from ftcli.errors import NonFiniteError
from ftcli.plans.lr_sweep import diverged
from ftcli.plans.phase import Phase
from ftcli.stopping import safe_point


def sweep(
    work: Work,
    phase: Phase,
    feed: Feed,
    epoch: int,
    rates: Sequence[tuple[float, ...]],
    tell: Callable[[int], None],
) -> tuple[float, ...]:
    """The loss before the first step, and after a step at each of `rates`: the LR of each of the phase's groups.

    Each loss is that of the next step's examples, in train mode, as training has them from `epoch` on. Ends early,
    with that loss as the last, where it diverges. The optimizer starts as the phase's own would. `tell` gets the
    number of steps done.
    """
    losses: list[float] = []
    with left_as_it_was(work.network.model, work.device):
        apply_mask(work.network.model, phase.mask)
        optimizer = build_optimizer(work.network.model, phase, work.plan.optimizer)
        restore_moments(optimizer, work.remembered)
        stepper = stepper_of(work, phase, feed, optimizer)
        drawn = _steps(work, phase, feed, epoch)
        for done, (batches, seed) in zip(range(len(rates) + 1), drawn, strict=False):
            for group, lr in zip(optimizer.param_groups, rates[min(done, len(rates) - 1)], strict=True):
                group["lr"] = lr
            try:
                losses.append(stepper.step(batches, seed))
            except NonFiniteError:
                losses.append(math.nan)
            tell(done)
            if diverged(losses):
                break
    return tuple(losses)


def _steps(
    work: Work, phase: Phase, feed: Feed, first_epoch: int
) -> Iterator[tuple[list[Batch], Callable[[], None]]]:
    """Step after step without end; what seeds each does it as in training."""
    plan = work.plan
    for epoch in count(first_epoch):
        enter_train_mode(work.network, phase)
        batches = iter(feed.training(epoch, 0))
        for step in range(plan.steps_per_epoch):
            safe_point()
            group = list(islice(batches, plan.accumulation))
            yield group, partial(seed_step, plan.seed, work.device, "step", epoch, step)
