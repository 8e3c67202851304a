"""How wide depthwise convolutions learn: as torch does it, or in pieces, which is faster on a CPU."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ftcli.plans.layer_map import LayerMap, Parameter
from ftcli.plans.phase import Phase

Depthwise = Literal["whole", "in_pieces"]

COLUMNS = 3
"""The widest kernel whose weight gradient oneDNN computes fast."""


def wide_depthwise(layer_map: LayerMap, phases: Iterable[Phase]) -> tuple[Parameter, ...]:
    """Those that train: a channel has a kernel of its own, which is wider than COLUMNS."""
    trained = set().union(*(phase.mask.trainable for phase in phases))
    return tuple(p for p in layer_map.parameters if p.name in trained and _is_wide(p.shape))


def _is_wide(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and shape[0] > 1 and shape[1] == 1 and shape[3] > COLUMNS
