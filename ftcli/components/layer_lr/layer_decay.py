"""Layer-wise LR decay: base * decay^(L - k), the head (k = L) at the base LR."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ftcli.plans.layer_map import LayerMap
from ftcli.registry import Choice


class LayerDecay(Choice):
    """Each layer below the head trains at `decay` times the LR of the one above (BEiT, Bao et al. 2022)."""

    kind: Literal["layer_decay"]
    decay: float = Field(default=0.75, gt=0, le=1)
    """0.5 to 0.75 is usual for transformers, 0.3 per stage for a ResNet."""
    over: Literal["layers", "stages"] = "layers"
    """Count blocks, or whole stages."""


def scales(options: LayerDecay, layer_map: LayerMap, base_lr: float) -> dict[int, float]:
    """Layer index -> factor on the base LR."""
    if options.over == "stages":
        depth = {stage: k for k, stage in enumerate(layer_map.stages)}
        return {y.index: options.decay ** (len(depth) - 1 - depth[y.stage]) for y in layer_map.layers}
    return {y.index: options.decay ** (len(layer_map.layers) - 1 - y.index) for y in layer_map.layers}
