"""Training from random weights: the baseline that says whether pretraining helps."""

from __future__ import annotations

from typing import Literal

from ftcli.plans import freeze_mask
from ftcli.plans.layer_map import LayerMap
from ftcli.plans.phase import Stretch
from ftcli.registry import Choice


class Scratch(Choice):
    """Every parameter trains, from random weights; `model.weights` is not used."""

    kind: Literal["scratch"]


def phases(options: Scratch, layer_map: LayerMap, epochs: int) -> tuple[Stretch, ...]:
    return (Stretch("scratch", freeze_mask.everything(layer_map), epochs),)
