"""Depth of transformers' models: read off the order of their modules, with stages made where all blocks are
in one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from ._depth import Depth, Matcher, Patterns, group
from ._module_order import by_module_order

_BLOCKS_IN_ONE_ROW = {"efficientnet": 1, "mobilenet_v1": 2, "mobilenet_v2": 1}
"""Types whose resolutions share a row, and how many of its items are a layer: MobileNet's depthwise and
pointwise convolutions stand as two."""


def depth_of(model: Any, heads: Sequence[str]) -> Depth:
    found = by_module_order(model, heads)
    together = _BLOCKS_IN_ONE_ROW.get(model.config.model_type)
    return _stages_by_width(model, found.layers, together) if together else found


def _stages_by_width(model: Any, layers: Matcher, together: int) -> Depth:
    """Blocks of one width are a stage, as in the tables of the papers."""
    assert isinstance(layers, dict)
    names = [name for name in layers if name != "stem"]
    width = _widths(model, layers)
    joined: dict[str, Patterns] = {"stem": layers["stem"]}
    for start in range(0, len(names), together):
        parts = names[start : start + together]
        joined[parts[0]] = "|".join(str(layers[part]) for part in parts)
        width[parts[0]] = width[parts[-1]]
    stages: dict[str, Patterns] = {"stem": layers["stem"]}
    for _, blocks in groupby((name for name in joined if name != "stem"), key=lambda name: width[name]):
        stages[f"stage{len(stages)}"] = "|".join(str(joined[block]) for block in blocks)
    return Depth(stages, joined)


def _widths(model: Any, layers: Mapping[str, Patterns]) -> dict[str, int]:
    """What comes out of each layer: the width of its last parameter that is a block's."""
    groups = group([name for name, _ in model.named_parameters()], layers)
    found: dict[str, int] = {}
    for name, parameter in model.named_parameters():
        layer = groups.names[groups.index[name]] if name in groups.index else ""
        if name.rpartition(f"{layer}.")[1]:
            found[layer] = parameter.shape[0]
    return found
