"""Activations that were kept of a stream, and the batches that are taken from them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ftcli.engine.batches import Batch
from ftcli.engine.kept_texts import TextRows
from ftcli.engine.sampler import Order
from ftcli.engine.seed import permutation
from ftcli.engine.variation import coins
from ftcli.plans.training_plan import batch_bounds


@dataclass
class Ledger:
    """What keeping has cost and spared. Seconds spared are those of computing as often as was read."""

    computed: int = 0
    seconds: float = 0.0
    read: int = 0
    instead: float = 0.0

    def fill(self, count: int, seconds: float) -> None:
        self.computed += count
        self.seconds += seconds

    def watch(self, aside: Callable[[], float] = lambda: 0.0) -> Callable[[int], float]:
        """Begins now. Told how many examples were computed, it counts them, and returns the seconds of each.

        `aside`: the seconds so far of what is done once, however many examples there are.
        """
        started, before = time.perf_counter(), aside()

        def stop(count: int) -> float:
            seconds = time.perf_counter() - started
            self.fill(count, seconds)
            return (seconds - aside() + before) / max(count, 1)

        return stop

    def serve(self, count: int, seconds_each: float) -> None:
        self.read += count
        self.instead += count * seconds_each


@dataclass(frozen=True)
class Kept:
    """A pass's activations (N, ...), or (T, D) of all tokens of texts, and how long each example took: 0 where an
    earlier run has left them.
    """

    activations: Tensor
    seconds_each: float
    on_disk: bool = False
    """Mapped from there: it takes no memory that anything else could want."""
    at_once: int | None = None
    """In parts of so many images where memory did not take whole batches: a network may round otherwise in them."""


@dataclass(frozen=True)
class KeptBatches:
    """The batches of a stream from what was kept of it, in the orders in which its examples are given.

    `labels` (N,) or (N, C); `views`: epoch e takes the one of e modulo their number, or, with `by_coin`, of each
    example the one that its coin names.
    """

    views: tuple[Kept, ...]
    labels: Tensor
    batch_size: int
    seed: int
    device: str
    ledger: Ledger
    indices: tuple[int, ...] | None = None
    """Of the examples, in the stream's order; None: they are counted from 0."""
    by_coin: bool = False
    texts: TextRows | None = None
    """Where those of each text are."""

    def evaluation(self) -> Iterator[Batch]:
        order = self.texts.order if self.texts else None
        for start, end in batch_bounds(len(self.labels), self.batch_size):
            if order is None:
                positions = torch.arange(start, end)
                yield self._batch(positions, self._rows(0, positions))
            else:
                places = order[start:end]
                positions = torch.tensor(places)
                yield replace(self._batch(positions, self._rows(0, positions)), places=places)

    def training(self, epoch: int, order: Order | None = None, first: int = 0) -> Iterator[Batch]:
        """From batch `first` on."""
        positions = torch.tensor(order(epoch) if order else permutation(self.seed, epoch, len(self.labels)))
        bounds = batch_bounds(len(positions), self.batch_size)[first:]
        if not self.by_coin:
            view = epoch % len(self.views)
            for start, end in bounds:
                yield self._batch(positions[start:end], self._rows(view, positions[start:end]))
            return
        which = coins(self.seed, epoch, self._examples(positions))
        for start, end in bounds:
            yield self._batch(positions[start:end], self._mixed(which[start:end], positions[start:end]))

    def _mixed(self, which: Tensor, positions: Tensor) -> Tensor:
        """Of each position the rows of the view that `which` (B,) names."""
        one = self.views[0].activations
        rows = one.new_empty((len(positions), *one.shape[1:]))
        for view in range(len(self.views)):
            taken = which == view
            rows[taken.to(one.device)] = self._rows(view, positions[taken])
        return rows

    def _rows(self, view: int, positions: Tensor) -> Tensor:
        """A copy, which the rest of the network may change as it likes."""
        kept = self.views[view]
        self.ledger.serve(len(positions), kept.seconds_each)
        if self.texts:
            return self.texts.batch(kept.activations, positions)
        return kept.activations[positions.to(kept.activations.device)]

    def _batch(self, positions: Tensor, rows: Tensor) -> Batch:
        labels = self.labels[positions.to(self.labels.device)]
        return Batch(rows.to(self.device), labels, self._examples(positions))

    def _examples(self, positions: Tensor) -> tuple[int, ...]:
        at = positions.tolist()
        return tuple(at if self.indices is None else (self.indices[position] for position in at))
