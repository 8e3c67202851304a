"""How far images lie from those that a network was pretrained on, layer by layer and as one number."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from statistics import fmean
from typing import Any

from ftcli.findings import Finding


@dataclass(frozen=True)
class LayerDistance:
    """Of a BatchNorm: the median over its channels of KL(images || pretraining), in nats, each side a Gaussian."""

    name: str
    stage: str
    channels: int
    divergence: float


@dataclass(frozen=True)
class Anchors:
    """The mean divergence of crops of photographs, and of noise: the two ends of the scale for a network."""

    photographs: float
    noise: float

    def scaled(self, divergence: float) -> float:
        """0 for photographs, 1 for noise, between them by the logarithm, for it grows by factors; cut off there."""
        place = log(max(divergence, 1e-9) / self.photographs) / log(self.noise / self.photographs)
        return min(max(place, 0.0), 1.0)


@dataclass(frozen=True)
class DomainDistance:
    """`backbone` is the network that measured, `layers` from the input up. `findings`: why it is not the one that was
    asked for, if so."""

    backbone: str
    num_images: int
    layers: tuple[LayerDistance, ...]
    anchors: Anchors
    findings: tuple[Finding, ...] = ()

    @property
    def divergence(self) -> float:
        """The mean over layers."""
        return mean_divergence(self.layers)

    @property
    def value(self) -> float:
        """0, as photographs, to 1, as noise; to two digits, for no more of them mean anything."""
        return round(self.anchors.scaled(self.divergence), 2)

    @property
    def stages(self) -> dict[str, float]:
        """Stage -> mean divergence of its BatchNorms. The first ones see how images look, the last what they show."""
        named = dict.fromkeys(layer.stage for layer in self.layers)
        return {stage: mean_divergence([la for la in self.layers if la.stage == stage]) for stage in named}

    def to_dict(self) -> dict[str, Any]:
        return {
            "value": self.value,
            "divergence": round(self.divergence, 4),
            "measured_by": self.backbone,
            "num_images": self.num_images,
            "anchors": vars(self.anchors),
            "stages": {stage: round(divergence, 4) for stage, divergence in self.stages.items()},
            "layers": [{**vars(layer), "divergence": round(layer.divergence, 4)} for layer in self.layers],
        }


def mean_divergence(layers: tuple[LayerDistance, ...] | list[LayerDistance]) -> float:
    return fmean(layer.divergence for layer in layers)
