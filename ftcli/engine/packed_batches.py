"""Batches of sequences of a corpus: all of one length, with the next token at every place for a label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ftcli.engine.batches import Batch, silent
from ftcli.engine.packing import PackedStore
from ftcli.engine.sampler import Order
from ftcli.engine.seed import permutation
from ftcli.events import Listener
from ftcli.plans.data_splits import TRAIN
from ftcli.plans.training_plan import batch_bounds


@dataclass(frozen=True)
class PackedBatches:
    """Where batches come from: a store of sequences. They are made when they are asked for, in this process."""

    store: PackedStore
    batch_size: int
    seed: int
    tell: Listener = silent

    def evaluation(self, stream: str) -> Iterator[Batch]:
        """Every sequence once, in order."""
        return self._batches(self.store.splits.streams[stream])

    def some(self, count: int) -> Tensor:
        """A few training sequences (B, L)."""
        return torch.stack([self.store[index] for index in self.store.splits.streams[TRAIN][:count]])

    def view(self, number: int, augment_options: Any) -> Iterator[Batch]:
        """Every training sequence once, in order: none is varied."""
        return self.evaluation(TRAIN)

    def targets(self, stream: str) -> Tensor:
        """Next tokens of a stream in order, (N, L) int64."""
        return torch.stack([self.store.target(index) for index in self.store.splits.streams[stream]])

    def arranged(self, order: Order) -> Order:
        """The order of an epoch: sequences are all of one length, and come as they are drawn."""
        return order

    def training(
        self,
        epoch: int,
        augment_options: Any,
        order: Order | None = None,
        view: int | None = None,
        first: int = 0,
    ) -> Iterator[Batch]:
        """The train stream in the epoch's order from batch `first` on; `order` None: every one once, shuffled."""
        indices = self.store.splits.streams[TRAIN]
        positions = order(epoch) if order else permutation(self.seed, epoch, len(indices))
        return self._batches([indices[position] for position in positions], first)

    def _batches(self, indices: Sequence[int], first: int = 0) -> Iterator[Batch]:
        for start, end in batch_bounds(len(indices), self.batch_size)[first:]:
            taken = tuple(indices[start:end])
            tokens = torch.stack([self.store[index] for index in taken])
            yield Batch(tokens, torch.stack([self.store.target(index) for index in taken]), taken)
