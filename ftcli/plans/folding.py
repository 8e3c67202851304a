"""Whether the batch norms of frozen layers are folded into the convolutions before them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ftcli.plans.layer_map import BatchNorm, LayerMap
from ftcli.plans.phase import Phase

FoldBN = Literal["apart", "folded"]


def frozen_below(
    layer_map: LayerMap, phases: Iterable[Phase], *, probed: bool = False
) -> tuple[BatchNorm, ...]:
    """Those below the first layer that trains, in one of the phases at least: there they are fixed functions.

    `probed`: a linear probe is one of the phases, in which only the head trains.
    """
    boundary = max((phase.prefix.boundary for phase in phases), default=0)
    if probed:
        boundary = len(layer_map.layers) - 1
    return tuple(bn for bn in layer_map.batch_norms if bn.layer < boundary)
