"""Batches of a stream, the same for any number of workers.

The order comes from (seed, epoch), the augmentation of an example from (seed, epoch, example); an example that an
epoch takes more than once is varied anew each time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ftcli.engine.device_crops import Crop, PaddedCrops, padded, resized
from ftcli.engine.images import ImageStore
from ftcli.engine.sampler import Order
from ftcli.engine.seed import derive, permutation
from ftcli.engine.stopwatch import span
from ftcli.engine.variation import Pick, Variation, picks_of, variation_of
from ftcli.engine.workers import batches_of
from ftcli.errors import DataError
from ftcli.events import Event, Listener
from ftcli.plans.training_plan import Crops, batch_bounds


@dataclass(frozen=True)
class Batch:
    """uint8 images (B, 3, S, S) or features (B, ...), labels (B,) int64, and the examples' indices.

    Labels are float (B, C) where an example may have several classes (a 1 for each), or images were mixed (shares).
    """

    inputs: Tensor
    labels: Tensor
    indices: tuple[int, ...]
    places: tuple[int, ...] | None = None
    """Of the examples in their stream, where they do not come in its order."""


Sample = tuple[Tensor | Crop, int | tuple[float, ...], int]
"""An image uint8 (3, S, S), or what it will be made of; its target and its index."""


class _Images(Dataset[Sample | DataError]):
    def __init__(self, store: ImageStore, variation: Variation) -> None:
        self.store = store
        self.variation = variation

    def __getitem__(self, pick: Pick) -> Sample | DataError:
        """An image that cannot be read is a value here: raised in a worker, it would come with torch's traceback."""
        index, _ = pick
        try:
            image = self.store[index]
        except DataError as error:
            return error
        return self.variation.of(image, pick), self.store.splits.target(index), index


def silent(event: Event) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class ImageBatches:
    """Where batches come from: a store of images and the way to load them."""

    store: ImageStore
    batch_size: int
    seed: int
    workers: int
    pin_memory: bool = False
    tell: Listener = silent
    crops: Crops = "image"
    device: str = "cpu"
    """Where the crops of a whole batch are made."""

    def evaluation(self, stream: str) -> Iterator[Batch]:
        """Every example once, in order, as evaluation sees it."""
        return self._load(self._same(), self._in_order(stream))

    def view(self, number: int, augment_options: Any) -> Iterator[Batch]:
        """Every training example once, in order, augmented as epoch `number` has it; of a flip its view `number`."""
        return self._load(self._variation(augment_options, number, number), self._in_order("train"))

    def some(self, count: int) -> Tensor:
        """A few training images uint8 (B, 3, S, S) as evaluation sees them."""
        images = _Images(self.store, self._same())
        few = _collate([images[index, 0] for index in self.store.splits.streams["train"][:count]])
        if isinstance(few, DataError):
            raise few
        return self._made(few[0])

    def targets(self, stream: str) -> Tensor:
        """Labels of a stream in order, (N,) int64 or (N, C) float."""
        splits = self.store.splits
        return torch.tensor([splits.target(index) for index in splits.streams[stream]])

    def arranged(self, order: Order) -> Order:
        """The order of an epoch: images are all of one size, and come as they are drawn."""
        return order

    def _in_order(self, stream: str) -> list[list[Pick]]:
        picks = [(index, 0) for index in self.store.splits.streams[stream]]
        return [picks[start:end] for start, end in batch_bounds(len(picks), self.batch_size)]

    def training(
        self,
        epoch: int,
        augment_options: Any,
        order: Order | None = None,
        view: int | None = None,
        first: int = 0,
    ) -> Iterator[Batch]:
        """The train stream in the epoch's order, augmented; `order` None: every example once, shuffled.

        `view`: augmented as that epoch instead, and the same however often the epoch takes an example.
        `first`: the batch to begin with; those before it are not loaded.
        """
        indices = self.store.splits.streams["train"]
        positions = order(epoch) if order else permutation(self.seed, epoch, len(indices))
        taken = [indices[position] for position in positions]
        picks = picks_of(taken) if view is None else [(index, 0) for index in taken]
        batches = [picks[start:end] for start, end in batch_bounds(len(picks), self.batch_size)]
        return self._load(self._variation(augment_options, epoch, view), batches[first:])

    def _same(self) -> Variation:
        """What evaluation makes of an image."""
        return Variation(self.store.preprocessing.image_size, self.seed, 0)

    def _variation(self, augment_options: Any, epoch: int, view: int | None) -> Variation:
        return variation_of(augment_options, self.store.preprocessing, self.seed, epoch, view, self.crops)

    def _load(self, variation: Variation, batches: list[list[Pick]]) -> Iterator[Batch]:
        images = _Images(self.store, variation)
        for loaded in batches_of(lambda start: self._loader(images, batches[start:]), self.tell):
            if isinstance(loaded, DataError):
                raise loaded
            inputs, labels, indices = loaded
            yield Batch(self._made(inputs), labels, indices)

    def _made(self, inputs: Tensor | PaddedCrops) -> Tensor:
        """Here, in the process that trains: those that load know nothing of the device."""
        if isinstance(inputs, Tensor):
            return inputs
        with span("augment"):
            try:
                return resized(inputs, self.store.preprocessing, self.device)
            except torch.OutOfMemoryError:  # of the GPU: the processor makes the same crops
                return resized(inputs, self.store.preprocessing, "cpu")

    def _loader(self, images: _Images, batches: list[list[Pick]]) -> DataLoader[Any]:
        workers = 0 if self.store.in_memory else self.workers
        return DataLoader(
            images,
            batch_sampler=batches,
            num_workers=workers,
            collate_fn=_collate,
            pin_memory=self.pin_memory,
            # A generator of its own: the loader would otherwise draw from the global one.
            generator=torch.Generator().manual_seed(derive(self.seed, "loader")),
            multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
        )


def _collate(
    samples: list[Sample | DataError],
) -> tuple[Tensor | PaddedCrops, Tensor, tuple[int, ...]] | DataError:
    for sample in samples:
        if isinstance(sample, DataError):
            return sample
    images, labels, indices = zip(*samples, strict=True)
    inputs = padded(images) if isinstance(images[0], Crop) else torch.stack(images)
    return inputs, torch.tensor(labels), tuple(indices)
