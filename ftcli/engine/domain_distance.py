"""How far images lie from a network's pretraining, by the statistics that its own BatchNorms have kept of it.

A BatchNorm remembers mean and variance of each channel over the images of the pretraining. What the images at hand
give there is compared with that: KL(images || pretraining) between two Gaussians, the median over channels. No image
of the pretraining is needed. LayerNorm and GroupNorm remember nothing of the kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.images import normalise
from ftcli.engine.network import Network
from ftcli.errors import ModelError
from ftcli.plans.domain_distance import LayerDistance

_GIVE = "give the distance: --domain close, far, or a number from 0 to 1"


@dataclass
class _Moments:
    """Sums over images and places, by channel, in float64: variances come out of differences."""

    count: int = 0
    sums_C: Tensor = field(default_factory=lambda: torch.zeros(()))
    squares_C: Tensor = field(default_factory=lambda: torch.zeros(()))

    def add(self, values: Tensor) -> None:
        """(B, C) or (B, C, ...)."""
        by_channel = values.detach().transpose(0, 1).flatten(1).double()
        self.count += by_channel.shape[1]
        self.sums_C = self.sums_C.to(values.device) + by_channel.sum(1)
        self.squares_C = self.squares_C.to(values.device) + by_channel.square().sum(1)

    def mean_and_variance(self) -> tuple[Tensor, Tensor]:
        mean_C = self.sums_C / self.count
        return mean_C, (self.squares_C / self.count - mean_C.square()).clamp_min(0)


@torch.no_grad()
def layer_distances(network: Network, batches: Iterable[Tensor]) -> tuple[LayerDistance, ...]:
    """For every BatchNorm that the images pass, in the order of depth. The network is left in eval mode.

    `batches`: uint8 images (B, 3, S, S) on the network's device. Raises ModelError for a network without
    BatchNorm, and for one whose BatchNorms have never seen an image.
    """
    norms = _trained_norms(network)
    enter_eval_mode(network)
    moments = {name: _Moments() for name in norms}
    with _watching(norms, moments):
        for images_BCHW in batches:
            network.model(normalise(images_BCHW, network.images))
    stage_of = {norm.name: norm.stage for norm in network.layer_map.batch_norms}
    return tuple(
        LayerDistance(name, stage_of[name], norm.num_features, _divergence(norm, moments[name]))
        for name, norm in norms.items()
        if moments[name].count
    )


def has_statistics(network: Network) -> bool:
    """Whether there are BatchNorms, and any of them has ever seen an image."""
    return any(_has_moved(norm) for norm in _norms(network).values())


def _trained_norms(network: Network) -> dict[str, _BatchNorm]:
    norms = _norms(network)
    if not norms:
        raise ModelError(f"{network.backbone} has no BatchNorm to measure a domain distance by", remedy=_GIVE)
    if not has_statistics(network):
        what = f"{network.backbone} is not pretrained: a distance from random weights means nothing"
        raise ModelError(what, remedy=_GIVE)
    return norms


def _norms(network: Network) -> dict[str, _BatchNorm]:
    modules = network.model.named_modules()
    return {name: m for name, m in modules if isinstance(m, _BatchNorm) and m.running_mean is not None}


def _has_moved(norm: _BatchNorm) -> bool:
    """From mean 0 and variance 1, where they begin."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return bool(norm.running_mean.any()) or bool((norm.running_var != 1).any())


@contextmanager
def _watching(norms: dict[str, _BatchNorm], moments: dict[str, _Moments]) -> Iterator[None]:
    def to(found: _Moments) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        return lambda module, inputs: found.add(inputs[0])

    hooks = [norm.register_forward_pre_hook(to(moments[name])) for name, norm in norms.items()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _divergence(norm: _BatchNorm, moments: _Moments) -> float:
    """Median over channels; eps stands by both variances, as it does when the layer divides by one."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    mean_C, variance_C = moments.mean_and_variance()
    known_C, seen_C = norm.running_var.double() + norm.eps, variance_C + norm.eps
    shift_C = (mean_C - norm.running_mean.double()).square()
    kl_C = 0.5 * ((known_C / seen_C).log() + (seen_C + shift_C) / known_C - 1)
    return float(kl_C.median())
