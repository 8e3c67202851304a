"""A network ready for a plan: the tensors, and what is known of their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from ftcli.plans.layer_map import LayerMap
from ftcli.plans.preprocessing import Preprocessing


@dataclass(frozen=True)
class Network:
    """`model` turns images (B, 3, S, S), preprocessed as `preprocessing` says, into logits (B, C)."""

    model: nn.Module
    layer_map: LayerMap
    module_layers: dict[str, int]
    """Module name to layer index; containers of several layers have none."""
    heads: tuple[str, ...]
    """Paths of the modules that are the head; more than one where the model takes the mean of several."""
    preprocessing: Preprocessing
    backbone: str
    """SOURCE/NAME."""
    weights_note: str
    """Where the backbone's weights are from, for the user."""
    config: Mapping[str, Any] | None = None
    """JSON-able: what rebuilds the architecture where the name alone is not enough."""
