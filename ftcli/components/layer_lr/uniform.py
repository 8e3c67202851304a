"""One LR for everything that trains."""

from __future__ import annotations

from typing import Literal

from ftcli.plans.layer_map import LayerMap
from ftcli.registry import Choice


class Uniform(Choice):
    """Every layer at the base LR."""

    kind: Literal["uniform"]


def scales(options: Uniform, layer_map: LayerMap, base_lr: float) -> dict[int, float]:
    """Layer index -> factor on the base LR."""
    return {layer.index: 1.0 for layer in layer_map.layers}
