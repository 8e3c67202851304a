"""The backbones that there are, and what one of them is made of. No weights are read for either."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from ftcli.components.backbone import SOURCES, is_installed, open_backbone, source
from ftcli.engine.layer_map import layer_map_of
from ftcli.errors import UsageError
from ftcli.plans.layer_map import LayerMap
from ftcli.plans.preprocessing import Preprocessing


@dataclass(frozen=True)
class ListedBackbone:
    """`weights` is the tag of the default ones, None where there are none."""

    name: str
    weights: str | None


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
    preprocessing: Preprocessing
    weights: str | None
    """Where the default weights are from; None where there are none."""
    tags: tuple[str, ...]
    """Every set of weights: SOURCE/NAME.TAG takes it."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def list_backbones(pattern: str | None = None, only: str | None = None) -> tuple[ListedBackbone, ...]:
    """The names that contain `pattern`, or match it where it has wildcards; of one source, or of all.

    Raises UsageError for a source that is not one and a pattern that finds nothing, ModelError for a source
    whose library is not installed; of all sources such a one is left out.
    """
    if only is not None and only not in SOURCES:
        raise UsageError(f"there is no source {only!r}", remedy=f"sources: {', '.join(SOURCES)}")
    names = list(_names(only))
    found = [name for name in names if pattern is None or _matches(name, pattern)]
    if not found:
        near = get_close_matches(pattern or "", [name.partition("/")[2] for name in names], cutoff=0.5)
        raise UsageError(f"no backbone matches {pattern!r}", remedy=f"nearest: {', '.join(near) or 'none'}")
    return tuple(ListedBackbone(name, _default_tag(name)) for name in found)


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
    layer_map, _ = layer_map_of(opened.model, opened.heads, opened.depth, backbone)
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


def _names(only: str | None) -> Iterator[str]:
    installed = [known for known in SOURCES if is_installed(known)]
    for known in installed if only is None else (only,):
        yield from (f"{known}/{name}" for name in source(f"{known}/")[0].names())


def _matches(name: str, pattern: str) -> bool:
    if any(wildcard in pattern for wildcard in "*?["):
        return fnmatchcase(name, pattern) or fnmatchcase(name.partition("/")[2], pattern)
    return pattern in name


def _default_tag(backbone: str) -> str | None:
    found, name = source(backbone)
    tag: str | None = found.default_tag(name)
    return tag


def _stage_facts(layer_map: LayerMap, stage: str) -> StageFacts:
    return StageFacts(
        name=stage,
        layers=sum(layer.stage == stage for layer in layer_map.layers),
        parameters=sum(parameter.numel for parameter in layer_map.in_stages([stage])),
        batch_norms=sum(norm.stage == stage for norm in layer_map.batch_norms),
    )
