"""Feature extraction, the linear probe: the backbone is frozen and the head trains."""

from __future__ import annotations

from typing import Literal

from ftcli.plans import freeze_mask
from ftcli.plans.layer_map import LayerMap
from ftcli.plans.phase import Stretch
from ftcli.registry import Choice


class FeatureExtraction(Choice):
    """Only the head trains. Each image goes through the backbone once when it is not augmented."""

    kind: Literal["feature_extraction"]


def phases(options: FeatureExtraction, layer_map: LayerMap, epochs: int) -> tuple[Stretch, ...]:
    return (Stretch("head", freeze_mask.head(layer_map), epochs),)
