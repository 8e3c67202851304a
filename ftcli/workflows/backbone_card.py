"""What one backbone is made of, and how many of a library's open. No weights are read for either."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ftcli.components.backbone import SOURCES, is_installed, open_backbone, source
from ftcli.engine.layer_map import layer_map_of
from ftcli.plans.inputs import Inputs
from ftcli.plans.layer_map import LayerMap


@dataclass(frozen=True)
class SourceCoverage:
    """`exceptions` are the architectures of a library that cannot be opened, each with its reason."""

    source: str
    opens: int
    exceptions: Mapping[str, str]

    @property
    def total(self) -> int:
        return self.opens + len(self.exceptions)


@dataclass(frozen=True)
class StageFacts:
    name: str
    layers: int
    parameters: int
    batch_norms: int


@dataclass(frozen=True)
class BackboneCard:
    """What a recipe needs to know of a backbone; `parameters` are counted without the classifier."""

    name: str
    parameters: int
    stages: tuple[StageFacts, ...]
    """From the input to the last before the head."""
    heads: tuple[str, ...]
    """Where the classifier is; several where the model takes the mean of several."""
    features: int
    """Width of the head's input."""
    preprocessing: Inputs
    weights: str | None
    """Where the default weights are from; None where there are none."""
    tags: tuple[str, ...]
    """Every set of weights: SOURCE/NAME.TAG takes it."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def source_coverage() -> tuple[SourceCoverage, ...]:
    """Of every library that is installed: how many of its image classifiers open, and why others do not."""
    installed = (source(f"{known}/")[0] for known in SOURCES if is_installed(known))
    return tuple(
        SourceCoverage(module.__name__.rpartition(".")[2], len(module.names()), module.exceptions())
        for module in installed
    )


def describe_backbone(backbone: str) -> BackboneCard:
    """Raises ModelError for a name that is not to be had."""
    found, name = source(backbone)
    has_weights = found.default_tag(name) is not None
    opened = open_backbone(backbone, "default" if has_weights else "none", meta=True)
    layer_map, _ = layer_map_of(opened.model, opened.head_modules, opened.depth, backbone)
    return BackboneCard(
        name=backbone,
        parameters=layer_map.numel(p.name for p in layer_map.in_stages(layer_map.backbone_stages)),
        stages=tuple(_stage_facts(layer_map, stage) for stage in layer_map.backbone_stages),
        heads=opened.heads,
        features=opened.num_features,
        preprocessing=opened.preprocessing,
        weights=opened.weights if has_weights else None,
        tags=tuple(found.tags(name)),
    )


def _stage_facts(layer_map: LayerMap, stage: str) -> StageFacts:
    return StageFacts(
        name=stage,
        layers=sum(layer.stage == stage for layer in layer_map.layers),
        parameters=sum(parameter.numel for parameter in layer_map.in_stages([stage])),
        batch_norms=sum(norm.stage == stage for norm in layer_map.batch_norms),
    )
