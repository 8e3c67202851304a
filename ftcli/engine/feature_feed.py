"""Batches of what a frozen part makes of images, varied anew in each epoch, kept or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import torch

from ftcli.engine.batches import Batch
from ftcli.engine.cut import Cut
from ftcli.engine.feature_variation import Ranges, ranges_of, varied
from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.precision import autocast
from ftcli.engine.sampler import Order
from ftcli.engine.stopwatch import span
from ftcli.engine.variation import picks_of
from ftcli.engine.work import Work
from ftcli.findings import Finding
from ftcli.plans.data_splits import TRAIN
from ftcli.plans.training_plan import batch_bounds


class Source(Protocol):
    """A stream's activations in batches: KeptBatches, or PassedBatches where there is no room to keep them."""

    def evaluation(self) -> Iterable[Batch]: ...

    def training(self, epoch: int, order: Order, first: int) -> Iterable[Batch]: ...


@dataclass(frozen=True)
class PassedBatches:
    """Put through the frozen part whenever they are asked for: the same values as kept ones."""

    work: Work
    cut: Cut
    stream: str

    def evaluation(self) -> Iterator[Batch]:
        return self._through(self.work.batches.evaluation(self.stream))

    def training(self, epoch: int, order: Order, first: int) -> Iterator[Batch]:
        return self._through(self.work.batches.training(epoch, self.work.augment, order, first=first))

    def _through(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        work = self.work
        for batch in batches:
            with (
                span("prefix", len(batch.inputs)),
                torch.no_grad(),
                autocast(work.plan.precision, work.device),
            ):
                passed = work.passes.through(self.cut.prefix, batch.inputs)
            yield replace(batch, inputs=passed, labels=batch.labels.to(work.device))


@dataclass(frozen=True)
class VariedBatches:
    """The train stream of a source, as `augment: features` has it."""

    work: Work
    source: Source
    ranges: Ranges
    order: Order

    def training(self, epoch: int, first: int) -> Iterator[Batch]:
        """From batch `first` on: what an example's turn is, the batches before it have told."""
        plan, stream = self.work.plan, self.work.batches.store.splits.streams[TRAIN]
        picks = picks_of(stream[position] for position in self.order(epoch))
        bounds = batch_bounds(len(picks), plan.batch_size)[first:]
        batches = self.source.training(epoch, self.order, first)
        for (start, end), batch in zip(bounds, batches, strict=True):
            with span("augment", end - start):
                inputs = varied(
                    batch.inputs, self.ranges, self.work.augment, plan.seed, epoch, picks[start:end]
                )
            yield replace(batch, inputs=inputs)


def varied_batches(work: Work, source: Source, order: Order) -> VariedBatches:
    """Goes once through the training images for the ranges of their features."""
    enter_eval_mode(work.network)
    parts = (batch.inputs for batch in source.evaluation())
    return VariedBatches(work, source, ranges_of(parts, per_channel=work.augment.per_channel), order)


def not_varied(stage: str) -> Finding:
    """Where the network cannot be cut."""
    return Finding(
        "warning",
        "augment",
        f"features below {stage} are not augmented: they cannot be told apart there; images are as they are",
        "use augment: flip or light, or another backbone",
        "features-not-augmented",
    )
