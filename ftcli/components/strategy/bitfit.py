"""BitFit (Ben Zaken et al. 2022): the biases of a pretrained network train, and the head."""

from __future__ import annotations

from typing import Literal

from ftcli.errors import Problem, RecipeError
from ftcli.plans import freeze_mask
from ftcli.plans.layer_map import LayerMap
from ftcli.plans.phase import Stretch
from ftcli.registry import Choice


class BitFit(Choice):
    """All other weights stay as they are."""

    kind: Literal["bitfit"]
    norms: bool = False
    """Whether the scales of norms train beside their biases."""


def phases(options: BitFit, layer_map: LayerMap, epochs: int) -> tuple[Stretch, ...]:
    """Raises RecipeError for a backbone that has none (LLaMA, and ModernBERT, were trained without biases)."""
    head = freeze_mask.head(layer_map)
    mask = freeze_mask.biases(layer_map) | head
    if options.norms:
        mask |= freeze_mask.norms(layer_map)
    if mask == head:
        what = f"{layer_map.backbone} has no biases" + (" and no norms that train" if options.norms else "")
        remedy = "set norms: true, or take strategy: lora" if not options.norms else "take strategy: lora"
        raise RecipeError(Problem("strategy.kind", what, remedy))
    return (Stretch("bitfit", mask, epochs),)
