"""Batches of texts of a stream: texts of like length together, a function of (seed, epoch) and of the lengths alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ftcli.engine.batches import Batch, silent
from ftcli.engine.sampler import Order
from ftcli.engine.seed import derive, permutation
from ftcli.engine.texts import TextStore
from ftcli.engine.tokenizer import padded
from ftcli.events import Listener
from ftcli.plans.data_splits import TRAIN
from ftcli.plans.training_plan import batch_bounds

POOL = 50
"""Batches whose texts are sorted together: they stay by chance, and little of them is padding."""


@dataclass(frozen=True)
class TextBatches:
    """Where batches come from: a store of texts. They are made when they are asked for, in this process."""

    store: TextStore
    batch_size: int
    seed: int
    tell: Listener = silent

    def evaluation(self, stream: str) -> Iterator[Batch]:
        """Every example once, the longest first; `places` tells which it is."""
        places, indices = self.longest_first(stream), self.store.splits.streams[stream]
        bounds = batch_bounds(len(places), self.batch_size)
        batches = self._batches([indices[place] for place in places])
        for (start, end), batch in zip(bounds, batches, strict=True):
            yield replace(batch, places=tuple(places[start:end]))

    def longest_first(self, stream: str) -> list[int]:
        """The places of a stream by length: little is padded, and memory ends at once or never."""
        lengths = self.store.lengths(stream)
        return sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)

    def some(self, count: int) -> Tensor:
        """Tokens (B, L) of training texts from the longest to the shortest."""
        places, indices = self.longest_first(TRAIN), self.store.splits.streams[TRAIN]
        steps = max(count - 1, 1)
        taken = [indices[places[step * (len(places) - 1) // steps]] for step in range(count)]
        return padded([self.store[index] for index in taken], self.store.preprocessing)

    def view(self, number: int, augment_options: Any) -> Iterator[Batch]:
        """Every training example once, as for evaluation: no text is varied."""
        return self.evaluation(TRAIN)

    def targets(self, stream: str) -> Tensor:
        """Labels of a stream in order, (N,) int64 or (N, C) float."""
        splits = self.store.splits
        return torch.tensor([splits.target(index) for index in splits.streams[stream]])

    def arranged(self, order: Order) -> Order:
        """The order of an epoch, with texts of like length in one batch."""
        return by_length(order, self.store.lengths(TRAIN), self.batch_size, self.seed)

    def training(
        self,
        epoch: int,
        augment_options: Any,
        order: Order | None = None,
        view: int | None = None,
        first: int = 0,
    ) -> Iterator[Batch]:
        """The train stream in the epoch's order from batch `first` on; `order` None: every example once, shuffled."""
        indices = self.store.splits.streams[TRAIN]
        positions = order(epoch) if order else permutation(self.seed, epoch, len(indices))
        return self._batches([indices[position] for position in positions], first)

    def _batches(self, indices: Sequence[int], first: int = 0) -> Iterator[Batch]:
        splits, inputs = self.store.splits, self.store.preprocessing
        for start, end in batch_bounds(len(indices), self.batch_size)[first:]:
            taken = tuple(indices[start:end])
            tokens = padded([self.store[index] for index in taken], inputs)
            yield Batch(tokens, torch.tensor([splits.target(index) for index in taken]), taken)


def by_length(order: Order, lengths: Sequence[int], batch_size: int, seed: int) -> Order:
    """An order of the same positions in batches of like length, which come by chance.

    The last batch, which has another size, stays last and holds what the order had there.
    """

    def arranged(epoch: int) -> list[int]:
        positions = order(epoch)
        last, _ = batch_bounds(len(positions), batch_size)[-1]
        batches: list[list[int]] = []
        for start in range(0, last, POOL * batch_size):
            pool = sorted(positions[start : min(start + POOL * batch_size, last)], key=lengths.__getitem__)
            batches += [pool[at : at + batch_size] for at in range(0, len(pool), batch_size)]
        shuffled = permutation(derive(seed, "batches"), epoch, len(batches))
        return [position for number in shuffled for position in batches[number]] + positions[last:]

    return arranged
