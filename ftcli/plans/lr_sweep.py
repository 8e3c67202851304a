"""A range test on paper: the LRs that it tries, the curve that comes of them, and the LRs that the curve suggests.

The LR grows exponentially, a factor a step (Smith 2015, "Cyclical Learning Rates for Training Neural Networks").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from ftcli.plans.phase import Phase

LOWEST = 1e-7
HIGHEST = 10.0
MEMORY = 0.8
"""Of the moving average over losses: about the last five of them."""
DIVERGED = 4.0
"""A smoothed loss of so many times the best one before it."""
LOST = 0.5
"""A stage is lost where the loss is this share of the first one above what it would be without the stage ..."""
LEAST_LOST = 3
"""... and stays there for so many steps, to the end."""
LEAST_FALL = 0.05
"""Of the loss at the start; a curve that falls by less suggests nothing."""
NOISE = 2.0
"""A stage has to bring the loss down by so many times what it differs by from one batch to the next."""


@dataclass(frozen=True)
class Suggestion:
    """LRs read off one curve. fastai's suggestion functions have the same names."""

    valley: float
    """Two thirds of the way down the longest valley."""
    steepest: float
    minimum_tenth: float
    """A tenth of the LR with the least loss."""


@dataclass(frozen=True)
class LrSweep:
    """What one range test measured. `stage` None: every group together, by the base LR (`optimizer.lr`).

    Of a stage with several groups the LR is that of the fastest; the others keep their distance to it.
    """

    phase: str
    stage: str | None
    planned: float
    """The peak LR of the plan, in the same terms."""
    lrs: tuple[float, ...]
    losses: tuple[float, ...]
    """Before the first step, then after a step at each LR, as far as it went: the last one may not be finite."""
    reference: tuple[float, ...] | None = None
    """Of a stage: the losses that the others alone come to, on the same examples, while this one stands still."""

    @cached_property
    def smooth(self) -> tuple[float, ...]:
        """The smoothed loss after a step at each LR."""
        return smoothed(self.losses)[1:]

    @cached_property
    def curve(self) -> tuple[float, ...]:
        """What is searched for a suggestion: the smoothed loss, of a stage less what the others come to without it."""
        finite = [loss for loss in self.smooth if math.isfinite(loss)]
        if self.reference is None:
            return tuple(finite)
        without = smoothed(self.reference)[1:]
        return tuple(loss - rest for loss, rest in zip(finite, without, strict=False))

    @property
    def inconclusive(self) -> bool:
        """The others diverge by themselves: nothing can be said of this stage."""
        return self.reference is not None and diverged(self.reference)

    @cached_property
    def diverges_at(self) -> float | None:
        """The LR at which the loss was lost; None where it never was."""
        if self.inconclusive:
            return None
        known = [self._lost_beside_others]
        if diverged(self.losses):
            known.append(self.lrs[max(len(self.losses) - 2, 0)])
        return min((lr for lr in known if lr is not None), default=None)

    @property
    def _lost_beside_others(self) -> float | None:
        """Of a stage: the LR from which on the loss stays far above what the others come to without it.

        Where a network's loss saturates, as with frozen norms, it never grows to several times its best.
        """
        if self.reference is None:
            return None
        bound = max(LOST * self.losses[0], NOISE * self._noise)
        last_below = max((step for step, loss in enumerate(self.curve) if loss <= bound), default=-1)
        return self.lrs[last_below + 1] if last_below + LEAST_LOST < len(self.curve) else None

    @cached_property
    def suggestion(self) -> Suggestion | None:
        """None where the loss does not fall."""
        curve = self.curve
        if self.inconclusive or len(curve) < 3:
            return None
        lowest = min(range(len(curve)), key=curve.__getitem__)
        if curve[0] - curve[lowest] < max(LEAST_FALL * self.losses[0], NOISE * self._noise):
            return None
        start, end = _longest_valley(curve)
        steps = [after - before for before, after in pairwise(curve[: lowest + 1])]
        return Suggestion(
            valley=self.lrs[round(start + (end - start) * 2 / 3)],
            steepest=self.lrs[steps.index(min(steps))],
            minimum_tenth=self.lrs[lowest] / 10,
        )

    @property
    def _noise(self) -> float:
        """How far the losses of the others alone lie from their smoothed ones (root of the mean square)."""
        if self.reference is None:
            return 0.0
        apart = [loss - smooth for loss, smooth in zip(self.reference, smoothed(self.reference), strict=True)]
        return math.sqrt(sum(each * each for each in apart) / len(apart))

    @property
    def limit(self) -> float | None:
        """What a planned LR should stay below: half of where the loss diverges, and twice where it is least.

        A test gives each LR one step, a run many: it is lost at an LR where the test has only begun to rise. Where a
        stage does best beside others that train by themselves is too uncertain for a warning.
        """
        whole = self.suggestion if self.stage is None else None
        least = None if whole is None else 20 * whole.minimum_tenth
        known = [lr for lr in (least, self.diverges_at and self.diverges_at / 2) if lr is not None]
        return min(known, default=None)

    @property
    def recommended(self) -> float:
        """One number: the valley, or where nothing is suggested the plan's LR; well below the edge in either case."""
        lr = self.planned if self.suggestion is None else self.suggestion.valley
        return lr if self.diverges_at is None else min(lr, self.diverges_at / 10)


def sweep_lrs(steps: int, lowest: float = LOWEST, highest: float = HIGHEST) -> tuple[float, ...]:
    """From the lowest to the highest, each the same factor above the one before."""
    return tuple(lowest * (highest / lowest) ** (step / (steps - 1)) for step in range(steps))


def rates_of_groups(phase: Phase, base_lr: float, lr: float, stage: str | None) -> tuple[float, ...]:
    """The LR of each group: all by `lr` as the base LR; or those of `stage` by it, the others as planned."""
    if stage is None:
        return tuple(lr * group.lr_scale for group in phase.groups)
    top = _fastest(phase, stage)
    return tuple(
        lr * group.lr_scale / top if group.stage == stage else base_lr * group.lr_scale
        for group in phase.groups
    )


def planned_lr(phase: Phase, base_lr: float, stage: str | None) -> float:
    return base_lr if stage is None else base_lr * _fastest(phase, stage)


def calm_base_lr(whole: LrSweep) -> float:
    """The base LR for the stages around one that is tried: the plan's, or less where that is too near the edge."""
    return whole.planned if whole.limit is None or whole.planned <= whole.limit else whole.recommended


def smoothed(losses: Sequence[float]) -> tuple[float, ...]:
    """An exponential moving average, its bias towards the start corrected as Adam does."""
    average, told = 0.0, []
    for count, loss in enumerate(losses, start=1):
        average = MEMORY * average + (1 - MEMORY) * loss
        told.append(average / (1 - MEMORY**count))
    return tuple(told)


def diverged(losses: Sequence[float]) -> bool:
    """Whether the last loss is not finite, or the smoothed one far above its best."""
    if not losses:
        return False
    smooth = smoothed(losses)
    return not math.isfinite(losses[-1]) or smooth[-1] > DIVERGED * min(smooth)


def _fastest(phase: Phase, stage: str) -> float:
    return max(group.lr_scale for group in phase.groups if group.stage == stage)


def _longest_valley(curve: Sequence[float]) -> tuple[int, int]:
    """First and last position of the longest run of values, not all of them neighbours, that each lie below the last.

    The longest decreasing subsequence: noise on the way down does not end it. The first of equally long ones.
    """
    length, before = [1] * len(curve), list(range(len(curve)))
    for here in range(len(curve)):
        for earlier in range(here):
            if curve[here] < curve[earlier] and length[earlier] + 1 > length[here]:
                length[here], before[here] = length[earlier] + 1, earlier
    end = start = max(range(len(curve)), key=length.__getitem__)
    while before[start] != start:
        start = before[start]
    return start, end
