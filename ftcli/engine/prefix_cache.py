"""What the frozen part of a network makes of images, computed once and kept: from then on only the rest runs."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import torch
from torch import Tensor

from ftcli.engine.batches import Batch
from ftcli.engine.cache.features import FeatureShelf
from ftcli.engine.cut import Cut, highest_cut
from ftcli.engine.folded import UNFOLDED, Fold, fold_below
from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.micro_batch import MicroBatch
from ftcli.engine.network import Network
from ftcli.engine.precision import autocast
from ftcli.engine.proof import digest
from ftcli.engine.sampler import Order
from ftcli.engine.seed import permutation
from ftcli.engine.stopwatch import span
from ftcli.plans.training_plan import Precision, batch_bounds
from ftcli.stopping import safe_point

Forward = Callable[[Tensor], Tensor]
Progress = Callable[[int, int], None]
Key = tuple[str, int, str]
"""A digest of what lies below and how it rounds, the boundary, and the name of the pass."""


@dataclass(frozen=True)
class Pass:
    """A stream once through, as evaluation sees it or augmented as a view. `batches` gives its images."""

    stream: str
    view: int | None
    count: int
    batches: Callable[[], Iterable[Batch]]

    @property
    def name(self) -> str:
        return self.stream if self.view is None else f"{self.stream} view {self.view}"


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

    def serve(self, count: int, seconds_each: float) -> None:
        self.read += count
        self.instead += count * seconds_each


@dataclass(frozen=True)
class Kept:
    """A pass's activations (N, ...), and how long each took: 0 where an earlier run has left them."""

    activations: Tensor
    seconds_each: float
    on_disk: bool = False
    """Mapped from there: it takes no memory that anything else could want."""


@dataclass
class PrefixCache:
    """Activations by pass, by boundary and by the bits of what lies below: a part that has moved has another key.

    On disk where there is a `shelf` with room, for the next run too; else in memory, up to `memory_bytes`.
    """

    device: str
    precision: Precision
    forward: Forward
    """uint8 images (B, 3, S, S) -> logits (B, C), through the whole network."""
    memory_bytes: int
    shelf: FeatureShelf | None = None
    micro: MicroBatch = field(default_factory=MicroBatch)
    ledger: Ledger = field(default_factory=Ledger)
    _kept: dict[Key, Kept] = field(default_factory=dict)
    _cuts: dict[int, tuple[Fold, Cut | None]] = field(default_factory=dict)
    _folds: dict[int, Fold] = field(default_factory=dict)

    def fold(self, network: Network, boundary: int, images: Callable[[], Tensor]) -> Fold:
        """The batch norms below `boundary`, proved on `images`; made anew where what lies below has changed."""
        below = prefix_digest(network, boundary)
        if boundary not in self._folds or self._folds[boundary].below != below:
            with span("prefix"):
                self._folds[boundary] = fold_below(network, self.forward, boundary, images(), below)
        return self._folds[boundary]

    def cut(
        self, network: Network, boundary: int, images: Callable[[], Tensor], fold: Fold = UNFOLDED
    ) -> Cut | None:
        """The network in two parts at `boundary` or below; None where none is proved equal to the whole on `images`."""
        if boundary not in self._cuts or self._cuts[boundary][0] is not fold:
            enter_eval_mode(network)
            with span("prefix"), autocast(self.precision, self.device):
                self._cuts[boundary] = fold, highest_cut(network, self.forward, boundary, images(), fold)
        return self._cuts[boundary][1]

    def get(
        self,
        network: Network,
        cut: Cut,
        passes: Sequence[Pass],
        progress: Progress = lambda done, total: None,
    ) -> tuple[Kept, ...] | None:
        """What is kept of each pass, computed where it is not there yet; None where it is too much to keep."""
        below = f"{prefix_digest(network, cut.boundary)} {cut.rounding}".rstrip()
        keys = [(below, cut.boundary, each.name) for each in passes]
        self._let_go(keys)
        total, done = sum(each.count for each in passes), 0
        for key, each in zip(keys, passes, strict=True):
            if key not in self._kept:
                found = self._found(below, cut, each, _from(done, total, progress), network, keys)
                if found is None:
                    return None
                self._kept[key] = found
            done += each.count
        return tuple(self._kept[key] for key in keys)

    def _let_go(self, needed: Sequence[Key]) -> None:
        """What is mapped from the disk and not needed now: while it is in use, the disk cannot make room for others."""
        for key in [key for key, kept in self._kept.items() if kept.on_disk and key not in needed]:
            del self._kept[key]

    def _found(
        self,
        below: str,
        cut: Cut,
        each: Pass,
        progress: Callable[[int], None],
        network: Network,
        together: Sequence[Key],
    ) -> Kept | None:
        """From the shelf, or computed for it; in memory where it has no room, beside those it is needed with."""
        if self.shelf is None:
            return self._in_memory(network, cut, each, progress, together)
        key = self.shelf.key(below, cut.boundary, each.stream, each.view)
        there = self.shelf.open(key)
        if there is not None:
            progress(each.count)
            return Kept(there, 0.0, on_disk=True)
        seconds = self._onto_shelf(self.shelf, key, network, cut, each, progress)
        there = None if seconds is None else self.shelf.open(key)
        if there is None or seconds is None:
            return self._in_memory(network, cut, each, progress, together)
        return Kept(there, seconds, on_disk=True)

    def _onto_shelf(
        self,
        shelf: FeatureShelf,
        key: str,
        network: Network,
        cut: Cut,
        each: Pass,
        progress: Callable[[int], None],
    ) -> float | None:
        """Seconds for each image; None where it found no room, which the store has told."""
        watch = _Watch(self.ledger)
        parts = self._computed(network, cut, each, progress)
        first = next(parts)
        with shelf.create(key, each.name, (each.count, *first.shape[1:]), first.dtype) as writer:
            for part in chain([first], parts):
                if not writer.ok:
                    return None
                writer.append(part.cpu())
            whole = writer.ok
        return watch.stop(each.count) if whole else None

    def _in_memory(
        self,
        network: Network,
        cut: Cut,
        each: Pass,
        progress: Callable[[int], None],
        together: Sequence[Key],
    ) -> Kept | None:
        watch = _Watch(self.ledger)
        kept, done = None, 0
        for part in self._computed(network, cut, each, progress):
            if kept is None:
                if not self._has_room(part, each.count, together):
                    return None
                kept = part.new_empty(
                    (each.count, *part.shape[1:])
                )  # once: parts and their sum would be twice
            kept[done : done + len(part)] = part
            done += len(part)
        assert kept is not None, "a stream has examples"
        return Kept(kept, watch.stop(each.count))

    def _computed(
        self, network: Network, cut: Cut, each: Pass, progress: Callable[[int], None]
    ) -> Iterator[Tensor]:
        """What crosses the cut, a batch at a time."""
        enter_eval_mode(network)
        count = 0
        for batch in each.batches():
            safe_point()
            with span("prefix", len(batch.inputs)), torch.no_grad(), autocast(self.precision, self.device):
                part = self.micro.through(cut.prefix, batch.inputs)
            count += len(batch.inputs)
            progress(count)
            yield part

    def _has_room(self, first: Tensor, count: int, together: Sequence[Key]) -> bool:
        """Whether a pass fits beside those it is needed with; of the others what was kept first makes room."""
        needed = first[0].nbytes * count
        others = [key for key, kept in self._kept.items() if key not in together and not kept.on_disk]
        while others and needed + self._held() > self.memory_bytes:
            self._kept.pop(others.pop(0))
        return needed + self._held() <= self.memory_bytes

    def _held(self) -> int:
        return sum(kept.activations.nbytes for kept in self._kept.values() if not kept.on_disk)


@dataclass(frozen=True)
class KeptBatches:
    """The batches of a stream from what was kept of it, in the orders in which ImageBatches gives the images.

    `labels` (N,) or (N, C); `views`: epoch e takes the one of e modulo their number.
    """

    views: tuple[Kept, ...]
    labels: Tensor
    batch_size: int
    seed: int
    device: str
    ledger: Ledger
    indices: tuple[int, ...] | None = None
    """Of the examples, in the stream's order; None: they are counted from 0."""

    def evaluation(self) -> Iterator[Batch]:
        for start, end in batch_bounds(len(self.labels), self.batch_size):
            yield self._take(self.views[0], torch.arange(start, end))

    def training(self, epoch: int, order: Order | None = None, first: int = 0) -> Iterator[Batch]:
        """From batch `first` on."""
        positions = torch.tensor(order(epoch) if order else permutation(self.seed, epoch, len(self.labels)))
        view = self.views[epoch % len(self.views)]
        for start, end in batch_bounds(len(positions), self.batch_size)[first:]:
            yield self._take(view, positions[start:end])

    def _take(self, view: Kept, positions: Tensor) -> Batch:
        """A copy, which the rest of the network may change as it likes."""
        self.ledger.serve(len(positions), view.seconds_each)
        kept = view.activations[positions.to(view.activations.device)]
        labels = self.labels[positions.to(self.labels.device)]
        at = positions.tolist()
        indices = at if self.indices is None else [self.indices[position] for position in at]
        return Batch(kept.to(self.device), labels, tuple(indices))


class _Watch:
    """The time of one pass, for the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._started = ledger, time.perf_counter()

    def stop(self, count: int) -> float:
        """Seconds for each of so many images."""
        seconds = time.perf_counter() - self._started
        self._ledger.fill(count, seconds)
        return seconds / max(count, 1)


def _from(done: int, total: int, progress: Progress) -> Callable[[int], None]:
    return lambda count: progress(done + count, total)


def prefix_digest(network: Network, boundary: int) -> str:
    """One digest over every tensor but those of the layers from `boundary` on."""
    layers = network.layer_map
    above = {p.name for p in layers.parameters if p.layer >= boundary}
    above |= {name for bn in layers.batch_norms if bn.layer >= boundary for name in bn.buffers}
    above |= {name for name, layer in layers.buffers if layer >= boundary}
    total = hashlib.sha256()
    for name, tensor in network.model.state_dict().items():
        if name not in above:
            total.update(name.encode() + digest(tensor).encode())
    return total.hexdigest()
