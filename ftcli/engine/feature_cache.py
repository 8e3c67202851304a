"""What a frozen backbone makes of a stream, computed once and kept: from then on only the head runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ftcli.engine.batches import Batch, FeatureBatches
from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.head_cut import cut_before_head, inputs_of
from ftcli.engine.network import Network
from ftcli.engine.precision import autocast
from ftcli.engine.proof import digest
from ftcli.plans.layer_map import HEAD
from ftcli.plans.training_plan import Precision
from ftcli.stopping import safe_point


@dataclass
class FeatureCache:
    """Features by stream and by the bits of the backbone: a backbone that has moved has another key."""

    device: str
    precision: Precision
    batch_size: int
    seed: int
    forward: Callable[[Tensor], Tensor]
    """uint8 images (B, 3, S, S) -> logits (B, C), through the whole network."""
    _kept: dict[tuple[str, str], FeatureBatches] = field(default_factory=dict)

    def get(
        self, network: Network, stream: str, batches: Callable[[], Iterable[Batch]]
    ) -> FeatureBatches | None:
        """The stream's features, or None where the network cannot be cut before its head.

        The cut is proved on the first batch: the head on the features gives the logits of the whole, bit for bit.
        """
        key = (stream, _backbone_digest(network))
        if key not in self._kept:
            computed = self._compute(network, batches())
            if computed is None:
                return None
            self._kept[key] = computed
        return self._kept[key]

    @torch.no_grad()
    def _compute(self, network: Network, batches: Iterable[Batch]) -> FeatureBatches | None:
        enter_eval_mode(network)
        cut, tail = cut_before_head(network)
        features, labels = [], []
        for number, batch in enumerate(batches):
            safe_point()
            with autocast(self.precision, self.device):
                computed = inputs_of(cut, self.forward, batch.inputs)
                if computed is None or (number == 0 and not self._proved(tail, computed, batch.inputs)):
                    return None
            features.append(computed)
            labels.append(batch.labels.to(self.device))
        return FeatureBatches(torch.cat(features), torch.cat(labels), self.batch_size, self.seed)

    def _proved(self, tail: nn.Module, features: Tensor, images: Tensor) -> bool:
        return torch.equal(tail(features), self.forward(images))


def _backbone_digest(network: Network) -> str:
    """One digest over every tensor below the head."""
    in_head = {p.name for p in network.layer_map.in_stages([HEAD])}
    state = network.model.state_dict()
    total = hashlib.sha256()
    for name, tensor in state.items():
        if name not in in_head:
            total.update(name.encode() + digest(tensor).encode())
    return total.hexdigest()
