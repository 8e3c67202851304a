"""What the frozen part of a network makes of images, computed once and kept: from then on only the rest runs."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ftcli.engine.batches import Batch
from ftcli.engine.cut import Cut, highest_cut
from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.network import Network
from ftcli.engine.precision import autocast
from ftcli.engine.proof import digest
from ftcli.engine.sampler import Order
from ftcli.engine.seed import permutation
from ftcli.plans.training_plan import Precision, batch_bounds

Forward = Callable[[Tensor], Tensor]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Pass:
    """A stream once through: `name` tells it from every other ("train view 2"), `batches` gives its images."""

    name: str
    count: int
    batches: Callable[[], Iterable[Batch]]


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
    """A pass's activations (N, ...), and how long each took."""

    activations: Tensor
    seconds_each: float


@dataclass
class PrefixCache:
    """Activations by pass, by boundary and by the bits of what lies below: a part that has moved has another key."""

    device: str
    precision: Precision
    forward: Forward
    """uint8 images (B, 3, S, S) -> logits (B, C), through the whole network."""
    memory_bytes: int
    ledger: Ledger = field(default_factory=Ledger)
    _kept: dict[tuple[str, int, str], Kept] = field(default_factory=dict)
    _cuts: dict[int, Cut | None] = field(default_factory=dict)

    def cut(self, network: Network, boundary: int, images: Callable[[], Tensor]) -> Cut | None:
        """The network in two parts at `boundary` or below; None where none is proved equal to the whole on `images`."""
        if boundary not in self._cuts:
            enter_eval_mode(network)
            with autocast(self.precision, self.device):
                self._cuts[boundary] = highest_cut(network, self.forward, boundary, images())
        return self._cuts[boundary]

    def get(
        self,
        network: Network,
        cut: Cut,
        passes: Sequence[Pass],
        progress: Progress = lambda done, total: None,
    ) -> tuple[Kept, ...] | None:
        """What is kept of each pass, computed where it is not there yet; None where it is too much to keep."""
        below = prefix_digest(network, cut.boundary)
        keys = [(below, cut.boundary, each.name) for each in passes]
        total, done = sum(each.count for each in passes), 0
        for key, each in zip(keys, passes, strict=True):
            if key not in self._kept:
                before = done
                computed = self._compute(network, cut, each, lambda n, at=before: progress(at + n, total))  # type: ignore[misc]
                if computed is None:
                    return None
                self._kept[key] = computed
            done += each.count
        return tuple(self._kept[key] for key in keys)

    @torch.no_grad()
    def _compute(
        self, network: Network, cut: Cut, each: Pass, progress: Callable[[int], None]
    ) -> Kept | None:
        enter_eval_mode(network)
        started = time.perf_counter()
        parts: list[Tensor] = []
        count = 0
        for batch in each.batches():
            with autocast(self.precision, self.device):
                parts.append(cut.prefix(batch.inputs))
            count += len(batch.inputs)
            if not self._has_room(parts[0], each.count):
                return None
            progress(count)
        seconds = time.perf_counter() - started
        self.ledger.fill(count, seconds)
        return Kept(torch.cat(parts), seconds / max(count, 1))

    def _has_room(self, first: Tensor, count: int) -> bool:
        """Whether a pass fits beside the others; what was kept first makes room."""
        needed = first[0].nbytes * count
        if needed > self.memory_bytes:
            return False
        while self._kept and needed + self._held() > self.memory_bytes:
            self._kept.pop(next(iter(self._kept)))
        return True

    def _held(self) -> int:
        return sum(kept.activations.nbytes for kept in self._kept.values())


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

    def evaluation(self) -> Iterator[Batch]:
        for start, end in batch_bounds(len(self.labels), self.batch_size):
            yield self._take(self.views[0], torch.arange(start, end))

    def training(self, epoch: int, order: Order | None = None) -> Iterator[Batch]:
        positions = torch.tensor(order(epoch) if order else permutation(self.seed, epoch, len(self.labels)))
        view = self.views[epoch % len(self.views)]
        for start, end in batch_bounds(len(positions), self.batch_size):
            yield self._take(view, positions[start:end])

    def _take(self, view: Kept, positions: Tensor) -> Batch:
        """A copy, which the rest of the network may change as it likes."""
        self.ledger.serve(len(positions), view.seconds_each)
        kept = view.activations[positions.to(view.activations.device)]
        labels = self.labels[positions.to(self.labels.device)]
        return Batch(kept.to(self.device), labels, tuple(positions.tolist()))


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
