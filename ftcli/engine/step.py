"""One optimizer step: forward and backward over its batches, check, clip, move."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from ftcli.components.objective import Loss
from ftcli.engine.batches import Batch
from ftcli.engine.finite import REMEDY
from ftcli.engine.micro_batch import MicroBatch
from ftcli.engine.precision import autocast
from ftcli.engine.running_stats import RunningStats
from ftcli.engine.stopwatch import span
from ftcli.errors import NonFiniteError
from ftcli.plans.training_plan import Precision

LEAST_SCALE = 1.0
"""Below it a loss scaler has halved itself so often that it is not the scale which makes gradients infinite."""


def _as_it_is() -> None:
    """Leaves the random generators where they are."""


class _Groups(list[dict[str, Any]]):
    """An optimizer's groups that know how far a step has come.

    A fused step goes from group to group, and makes room for one before it moves it: where that fails, the groups
    before have moved, and the next attempt must leave them as they are.
    """

    at = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for self.at, group in enumerate(super().__iter__()):
            yield group

    def leave_out_moved(self) -> None:
        for parameter in _parameters_of(self[: self.at]):
            parameter.grad = None

    def not_moved(self) -> list[Tensor]:
        return _parameters_of(self[self.at :])


def _parameters_of(groups: Iterable[dict[str, Any]]) -> list[Tensor]:
    return [parameter for group in groups for parameter in group["params"]]


@dataclass(frozen=True)
class Stepper:
    """What stays the same from step to step. `forward` maps a batch's inputs to logits (B, C)."""

    forward: Callable[[Tensor], Tensor]
    optimizer: Optimizer
    scaler: GradScaler
    device: str
    precision: Precision
    loss: Loss
    clip_norm: float | None
    micro: MicroBatch = field(default_factory=MicroBatch)
    statistics: RunningStats = field(default_factory=RunningStats)

    def step(self, batches: Sequence[Batch], seed: Callable[[], None] = _as_it_is) -> float:
        """One update from all the batches together, as if they were one. Returns the loss over all their examples.

        Each batch's mean counts by its share of the weights, so that the sum is the weighted mean of the whole.
        Where memory runs out the batches go through in smaller parts; `seed` sets the generators for each attempt.

        Raises NonFiniteError before any weight is moved, and OutOfMemory.
        """
        largest = max(len(batch.labels) for batch in batches)
        self.statistics.keep()
        shares, values = self.micro.until_it_fits(
            lambda: self._gradients(batches, seed), largest, self._least, self.statistics.put_back
        )
        with span("optimizer"):
            self._move(largest)
        return sum((share * value for share, value in zip(shares, values, strict=True)), 0.0)

    @property
    def _least(self) -> int:
        """A BatchNorm in train mode cannot take the variance of one value."""
        return 2 if self.statistics else 1

    def _gradients(
        self, batches: Sequence[Batch], seed: Callable[[], None]
    ) -> tuple[list[float], list[float]]:
        """Leaves the clipped gradients; returns each part's share and its loss."""
        seed()
        self._forget_attempt()
        self.optimizer.zero_grad(set_to_none=True)
        parts = [part for batch in batches for part in self.micro.parts(batch, self._least)]
        weights = [self.loss.weight(part.labels) for part in parts]
        total = sum(weights)
        # Where nothing in a part counts, the mean over nothing is no number.
        counting = [(part, weight / total) for part, weight in zip(parts, weights, strict=True) if weight]
        losses = [self._backward(part, share) for part, share in counting]
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.get_total_norm(self._present_gradients(), foreach=True)
        # Once all is under way: a GPU is waited for once a step.
        *values, norm_value = torch.stack([*losses, norm]).tolist() if losses else [0.0]
        self._refuse_non_finite(values, norm_value)
        if self.clip_norm is not None:
            with span("optimizer"):
                nn.utils.clip_grads_with_norm_(self._parameters(), self.clip_norm, norm, foreach=True)
        return [share for _, share in counting], values

    def _forget_attempt(self) -> None:
        """One that failed has left the scaler within a step, where it refuses to begin another."""
        if self.scaler.is_enabled():
            self.scaler._per_optimizer_states.clear()

    def _move(self, largest: int) -> None:
        groups, known = _Groups(self.optimizer.param_groups), set(self.optimizer.state)

        def undo() -> None:
            """A state that was being made may lack a tensor, and would never get it: it is made anew."""
            groups.leave_out_moved()
            for parameter in groups.not_moved():
                if parameter not in known:
                    self.optimizer.state.pop(parameter, None)

        self.optimizer.param_groups = groups
        try:
            self.micro.until_it_fits(lambda: self.scaler.step(self.optimizer), largest, self._least, undo)
        finally:
            self.optimizer.param_groups = list(groups)
        self.scaler.update()

    def _backward(self, batch: Batch, share: float) -> Tensor:
        """The batch's mean loss, still on its device."""
        with span("forward", len(batch.inputs)), autocast(self.precision, self.device):
            logits_BC = self.forward(batch.inputs.to(self.device, non_blocking=True))
        labels = batch.labels.to(self.device, non_blocking=True)
        loss = self.loss(logits_BC.float(), labels)
        with span("backward", len(batch.inputs)):
            self.scaler.scale(loss * share).backward()
        return loss.detach()

    def _refuse_non_finite(self, losses: Sequence[float], norm: float) -> None:
        """BatchNorm's statistics are as before the step then: what is found in them was not of its making."""
        bad = next((loss for loss in losses if not math.isfinite(loss)), None)
        if bad is None and (math.isfinite(norm) or self._scaler_will_skip()):
            return
        self.statistics.put_back()
        what = f"the gradient's norm is {norm}" if bad is None else f"the loss is {bad}"
        raise NonFiniteError(what, remedy=REMEDY)

    def _scaler_will_skip(self) -> bool:
        """In fp16 a gradient that overflows is part of finding the scale."""
        return self.scaler.is_enabled() and self.scaler.get_scale() >= LEAST_SCALE

    def _parameters(self) -> list[Tensor]:
        return _parameters_of(self.optimizer.param_groups)

    def _present_gradients(self) -> list[Tensor]:
        return [parameter.grad for parameter in self._parameters() if parameter.grad is not None]
