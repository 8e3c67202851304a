"""A network's parameters in the order of depth: every one in exactly one layer and one stage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

HEAD = "head"


@dataclass(frozen=True)
class Parameter:
    """One tensor that training may move. `layer` counts from the input, 0 first; the head is last."""

    name: str
    shape: tuple[int, ...]
    layer: int
    stage: str
    is_norm: bool
    """Belongs to a normalisation module (judged by the module's type, not by its name)."""
    is_adapter: bool = field(default=False, kw_only=True)
    """Put beside a layer of the pretrained network, which stays as it is."""

    @property
    def numel(self) -> int:
        return prod(self.shape)

    @property
    def decays(self) -> bool:
        """Weight decay is for weights: never for norms, biases or other vectors; of an adapter's also (1, D)."""
        if self.is_adapter and self.numel == max(self.shape):
            return False
        return not self.is_norm and len(self.shape) > 1

    @property
    def is_bias(self) -> bool:
        """By its name: `bias`, and `in_proj_bias`, `q_bias` and their like."""
        return len(self.shape) == 1 and self.name.endswith("bias")


@dataclass(frozen=True)
class BatchNorm:
    """A module with running statistics. `params` and `buffers` are full tensor names; either may be empty."""

    name: str
    layer: int
    stage: str
    params: tuple[str, ...]
    buffers: tuple[str, ...]


@dataclass(frozen=True)
class Layer:
    """The unit of depth for layer-wise decay: a residual block, a transformer block, the stem, the head."""

    index: int
    name: str
    stage: str


@dataclass(frozen=True)
class LayerMap:
    """`layers` from input to output, `stages` named runs of them; the last of each is the head."""

    backbone: str
    layers: tuple[Layer, ...]
    parameters: tuple[Parameter, ...]
    batch_norms: tuple[BatchNorm, ...] = ()
    buffers: tuple[tuple[str, int], ...] = ()
    """Every other buffer of the network, with its layer: (name, layer index)."""

    def __post_init__(self) -> None:
        names = [p.name for p in self.parameters]
        if len(set(names)) != len(names):
            raise ValueError("a parameter stands twice in the layer map")
        if not self.layers or self.layers[-1].stage != HEAD:
            raise ValueError("the last layer of a layer map is the head")
        stage_of = {layer.index: layer.stage for layer in self.layers}
        for p in self.parameters:
            if stage_of.get(p.layer) != p.stage:
                raise ValueError(f"{p.name}: layer {p.layer} does not belong to stage {p.stage!r}")

    @cached_property
    def stages(self) -> tuple[str, ...]:
        """Stage names from input to output; the last is `head`."""
        return tuple(dict.fromkeys(layer.stage for layer in self.layers))

    @property
    def backbone_stages(self) -> tuple[str, ...]:
        return self.stages[:-1]

    @cached_property
    def by_name(self) -> dict[str, Parameter]:
        return {p.name: p for p in self.parameters}

    def in_stages(self, stages: Iterable[str]) -> tuple[Parameter, ...]:
        wanted = set(stages)
        return tuple(p for p in self.parameters if p.stage in wanted)

    def numel(self, names: Iterable[str] | None = None) -> int:
        """Number of scalars in the named parameters, or in all."""
        if names is None:
            return sum(p.numel for p in self.parameters)
        return sum(self.by_name[name].numel for name in names)
