"""Which parameters train, as a value: set algebra over a LayerMap."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from ftcli.plans.layer_map import HEAD, LayerMap


class NoSuchStage(ValueError):
    """A pattern that matches no stage and no parameter; `pattern` and the `nearest` names there are."""

    def __init__(self, pattern: str, nearest: tuple[str, ...]) -> None:
        self.pattern = pattern
        self.nearest = nearest
        super().__init__(f"{pattern!r} matches no stage and no parameter")


@dataclass(frozen=True)
class FreezeMask:
    """The names of the parameters that train; everything else is frozen."""

    trainable: frozenset[str]

    def __contains__(self, name: str) -> bool:
        return name in self.trainable

    def __or__(self, other: FreezeMask) -> FreezeMask:
        return FreezeMask(self.trainable | other.trainable)

    def __and__(self, other: FreezeMask) -> FreezeMask:
        return FreezeMask(self.trainable & other.trainable)

    def __sub__(self, other: FreezeMask) -> FreezeMask:
        return FreezeMask(self.trainable - other.trainable)

    def __le__(self, other: FreezeMask) -> bool:
        return self.trainable <= other.trainable

    def __len__(self) -> int:
        return len(self.trainable)


@dataclass(frozen=True)
class MaskDiff:
    """What changes between two phases: names that start to train and names that stop."""

    thawed: frozenset[str]
    frozen: frozenset[str]


def diff(before: FreezeMask, after: FreezeMask) -> MaskDiff:
    return MaskDiff(thawed=after.trainable - before.trainable, frozen=before.trainable - after.trainable)


def everything(layer_map: LayerMap) -> FreezeMask:
    return FreezeMask(frozenset(p.name for p in layer_map.parameters))


def stages(layer_map: LayerMap, *names: str) -> FreezeMask:
    """Every parameter of the named stages. Raises NoSuchStage for a name that is not one."""
    for name in names:
        if name not in layer_map.stages:
            raise NoSuchStage(name, nearest_names(layer_map, name))
    return FreezeMask(frozenset(p.name for p in layer_map.in_stages(names)))


def head(layer_map: LayerMap) -> FreezeMask:
    return stages(layer_map, HEAD)


def adapters(layer_map: LayerMap) -> FreezeMask:
    """What stands beside the pretrained layers, of all stages."""
    return FreezeMask(frozenset(p.name for p in layer_map.parameters if p.is_adapter))


def biases(layer_map: LayerMap) -> FreezeMask:
    """Those of all stages, norms' among them."""
    return FreezeMask(frozenset(p.name for p in layer_map.parameters if p.is_bias))


def norms(layer_map: LayerMap) -> FreezeMask:
    """Scales and biases of the norms of all stages."""
    return FreezeMask(frozenset(p.name for p in layer_map.parameters if p.is_norm))


def from_stage(layer_map: LayerMap, name: str) -> FreezeMask:
    """The named stage and every one above it, the head included."""
    if name not in layer_map.stages:
        raise NoSuchStage(name, nearest_names(layer_map, name))
    return stages(layer_map, *layer_map.stages[layer_map.stages.index(name) :])


def last_stages(layer_map: LayerMap, count: int) -> FreezeMask:
    """The last `count` stages of the backbone, and the head.

    A stage is what `ftcli models show` lists, not a layer: 2 on a ResNet is layer3 and layer4.
    Raises ValueError when the backbone has fewer.
    """
    if not 0 <= count <= len(layer_map.backbone_stages):
        raise ValueError(f"{layer_map.backbone} has {len(layer_map.backbone_stages)} stages below the head")
    return stages(layer_map, *layer_map.stages[len(layer_map.stages) - 1 - count :])


def matching(layer_map: LayerMap, pattern: str) -> FreezeMask:
    """A stage name, or a glob over stage names (`layer*`) or parameter names (`layer4.1.*`)."""
    found = frozenset(
        p.name for p in layer_map.parameters if fnmatchcase(p.stage, pattern) or fnmatchcase(p.name, pattern)
    )
    if not found:
        raise NoSuchStage(pattern, nearest_names(layer_map, pattern))
    return FreezeMask(found)


def nearest_names(layer_map: LayerMap, pattern: str, count: int = 3) -> tuple[str, ...]:
    """The stage names most like `pattern`; all of them when none is near."""
    near = get_close_matches(pattern, layer_map.stages, n=count, cutoff=0.5)
    return tuple(near) or layer_map.stages
