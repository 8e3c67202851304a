"""Whether what lies below the first layer that trains is compiled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ftcli.plans.layer_map import LayerMap
from ftcli.plans.phase import Phase

Compile = Literal["eager", "compiled"]


def image_views(phases: Iterable[Phase], num_train: int, *, probed: bool) -> int:
    """How often a training image goes through a frozen part to be kept: of its views, where it has several, each.

    `probed`: a linear probe is one of the phases, which keeps all images as they are.
    """
    return num_train * max([int(probed), *(phase.prefix.views for phase in phases)])


def kept_at(phases: Iterable[Phase], layer_map: LayerMap, *, probed: bool) -> frozenset[int]:
    """The boundaries at which the phases, and the probe, keep what the frozen part makes."""
    head = {layer_map.layers[-1].index} if probed else set()
    return frozenset(head | {phase.prefix.boundary for phase in phases if phase.prefix.kept})
