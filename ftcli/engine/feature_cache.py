"""What a frozen backbone makes of a stream, computed once and kept: from then on only the head runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ftcli.components.backbone import is_classifier, width_of
from ftcli.engine.batches import Batch, FeatureBatches
from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.network import Network
from ftcli.engine.precision import autocast
from ftcli.engine.proof import digest
from ftcli.plans.layer_map import HEAD
from ftcli.plans.training_plan import Precision
from ftcli.stopping import safe_point


class _Captured(Exception):
    """Ends a forward pass once the features are known."""


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
                computed = _inputs_of(cut, self.forward, batch.inputs)
                if computed is None or (number == 0 and not self._proved(tail, computed, batch.inputs)):
                    return None
            features.append(computed)
            labels.append(batch.labels.to(self.device))
        return FeatureBatches(torch.cat(features), torch.cat(labels), self.batch_size, self.seed)

    def _proved(self, tail: nn.Module, features: Tensor, images: Tensor) -> bool:
        return torch.equal(tail(features), self.forward(images))


class MeanOfHeads(nn.Module):
    """Several classifiers, each on its part of the features (B, sum of widths), and the mean of their logits."""

    def __init__(self, heads: Sequence[nn.Module]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)
        layers = [next(module for module in head.modules() if is_classifier(module)) for head in heads]
        self.widths = [width_of(layer) for layer in layers]

    def forward(self, features: Tensor) -> Tensor:
        parts = features.split(self.widths, dim=1)
        logits: Tensor = sum(head(part) for head, part in zip(self.heads, parts, strict=True)) / len(parts)
        return logits


def cut_before_head(network: Network) -> tuple[tuple[nn.Module, ...], nn.Module]:
    """The first modules of the head (their inputs are the features), and the head as a whole."""
    cuts = [_cut_before(network, path) for path in network.heads]
    firsts, tails = tuple(first for first, _ in cuts), [tail for _, tail in cuts]
    return firsts, tails[0] if len(tails) == 1 else MeanOfHeads(tails)


def _cut_before(network: Network, path: str) -> tuple[nn.Module, nn.Module]:
    """In a Sequential the head may begin with a dropout that stands before the new layer; a classifier that is a
    convolution may be followed by its pooling.
    """
    head = network.model.get_submodule(path)
    container, _, last = path.rpartition(".")
    parent = network.model.get_submodule(container)
    if not isinstance(parent, nn.Sequential):
        return head, nn.Sequential(head, nn.Flatten())
    head_layer = network.layer_map.layers[-1].index
    names = [name for name, _ in parent.named_children()]
    start = names.index(last)
    while start > 0 and network.module_layers.get(f"{container}.{names[start - 1]}") == head_layer:
        start -= 1
    children = list(parent.children())[start:]
    return children[0], nn.Sequential(*children, nn.Flatten())


def _inputs_of(
    modules: Sequence[nn.Module], forward: Callable[[Tensor], Tensor], images: Tensor
) -> Tensor | None:
    """What reaches the modules in a forward pass, side by side; it ends at the last. None when one gets nothing."""
    seen: dict[nn.Module, Tensor] = {}

    def capture(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        seen[module] = arguments[0]
        if len(seen) == len(modules):
            raise _Captured

    handles = [module.register_forward_pre_hook(capture) for module in modules]
    try:
        forward(images)
    except _Captured:
        found = [seen[module] for module in modules]
        return found[0] if len(found) == 1 else _side_by_side(found)
    finally:
        for handle in handles:
            handle.remove()
    return None


def _side_by_side(features: Sequence[Tensor]) -> Tensor | None:
    flat = all(part.ndim == 2 for part in features)
    return torch.cat(list(features), dim=1) if flat else None


def _backbone_digest(network: Network) -> str:
    """One digest over every tensor below the head."""
    in_head = {p.name for p in network.layer_map.in_stages([HEAD])}
    state = network.model.state_dict()
    total = hashlib.sha256()
    for name, tensor in state.items():
        if name not in in_head:
            total.update(name.encode() + digest(tensor).encode())
    return total.hexdigest()
