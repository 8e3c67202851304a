"""Full fine-tuning: everything trains from the first step."""

from __future__ import annotations

from typing import Literal

from ftcli.plans import freeze_mask
from ftcli.plans.layer_map import LayerMap
from ftcli.plans.phase import Stretch
from ftcli.registry import Choice


class Full(Choice):
    """Every parameter trains."""

    kind: Literal["full"]


def phases(options: Full, layer_map: LayerMap, epochs: int) -> tuple[Stretch, ...]:
    return (Stretch("full", freeze_mask.everything(layer_map), epochs),)
