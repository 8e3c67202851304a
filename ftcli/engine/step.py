"""One optimizer step: forward and backward over its batches, clip, check, move."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from ftcli.components.objective import Loss
from ftcli.engine.batches import Batch
from ftcli.engine.precision import autocast
from ftcli.engine.stopwatch import span
from ftcli.errors import NonFiniteError
from ftcli.plans.training_plan import Precision


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

    def step(self, batches: Sequence[Batch]) -> float:
        """One update from all the batches together, as if they were one. Returns the loss over all their examples.

        Each batch's mean counts by its share of the weights, so that the sum is the weighted mean of the whole.

        Raises NonFiniteError before any weight is moved.
        """
        weights = [self.loss.weight(batch.labels) for batch in batches]
        total = sum(weights)
        self.optimizer.zero_grad(set_to_none=True)
        # Where nothing in a batch counts, the mean over nothing is no number.
        counting = [(batch, weight / total) for batch, weight in zip(batches, weights, strict=True) if weight]
        losses = [self._backward(batch, share) for batch, share in counting]
        values = [loss.item() for loss in losses]  # once all is under way: a GPU is waited for once a step
        for (batch, _), value in zip(counting, values, strict=True):
            _refuse_non_finite(value, batch)
        with span("optimizer"):
            self.scaler.unscale_(self.optimizer)
            if self.clip_norm is not None:
                nn.utils.clip_grad_norm_(self._parameters(), self.clip_norm, foreach=True)
            self.scaler.step(self.optimizer)
            self.scaler.update()
        return sum((share * value for (_, share), value in zip(counting, values, strict=True)), 0.0)

    def _backward(self, batch: Batch, share: float) -> Tensor:
        """The batch's mean loss, still on its device."""
        with span("forward", len(batch.inputs)), autocast(self.precision, self.device):
            logits_BC = self.forward(batch.inputs.to(self.device, non_blocking=True))
        labels = batch.labels.to(self.device, non_blocking=True)
        loss = self.loss(logits_BC.float(), labels)
        with span("backward", len(batch.inputs)):
            self.scaler.scale(loss * share).backward()
        return loss.detach()

    def _parameters(self) -> list[Tensor]:
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]


def _refuse_non_finite(loss: float, batch: Batch) -> None:
    if not math.isfinite(loss):
        raise NonFiniteError(
            f"the loss is {loss}",
            where=f"examples {', '.join(map(str, batch.indices[:8]))} ...",
            remedy="lower optimizer.lr or lengthen schedule.warmup; in fp16, try precision: bf16 or fp32",
        )
