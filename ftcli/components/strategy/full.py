"""Full fine-tuning: everything trains from the first step."""

from __future__ import annotations

from typing import Literal

from ftcli.plan import freeze_mask
from ftcli.plan.layer_map import LayerMap
from ftcli.plan.phase import Stretch
from ftcli.registry import Choice


class Full(Choice):
    """Every parameter trains."""

    kind: Literal["full"]


def phases(options: Full, layer_map: LayerMap, epochs: int) -> tuple[Stretch, ...]:
    return (Stretch("full", freeze_mask.everything(layer_map), epochs),)
