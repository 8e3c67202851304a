"""Groups of parameter names for the optimizer: one LR and one weight decay each.

Every name that trains is in exactly one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ftcli.plans.freeze_mask import FreezeMask
from ftcli.plans.layer_map import LayerMap


@dataclass(frozen=True)
class ParamGroup:
    """`lr_scale` multiplies the base LR; the peak LR of the group is base * lr_scale."""

    stage: str
    layer: int
    """The deepest (lowest) layer in the group."""
    lr_scale: float
    weight_decay: float
    params: tuple[str, ...]


def group_parameters(
    layer_map: LayerMap, mask: FreezeMask, lr_scale: Mapping[int, float], weight_decay: float
) -> tuple[ParamGroup, ...]:
    """Split the mask's parameters by stage, LR and decay, in the order of depth.

    lr_scale: layer index -> factor on the base LR; a KeyError names a trainable layer that has none.
    """
    members: dict[tuple[int, str, float, float], list[str]] = {}
    first_layer: dict[tuple[str, float], int] = {}
    for p in sorted(layer_map.parameters, key=lambda p: p.layer):
        if p.name not in mask:
            continue
        scale = lr_scale[p.layer]
        layer = first_layer.setdefault((p.stage, scale), p.layer)
        decay = weight_decay if p.decays else 0.0
        members.setdefault((layer, p.stage, scale, decay), []).append(p.name)
    return tuple(
        ParamGroup(stage, layer, scale, decay, tuple(names))
        for (layer, stage, scale, decay), names in members.items()
    )
