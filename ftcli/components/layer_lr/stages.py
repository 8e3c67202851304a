"""An explicit LR for each stage."""

from __future__ import annotations

import re
import sys
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import Field

from ftcli.errors import Problem, RecipeError
from ftcli.plans.freeze_mask import nearest_names
from ftcli.plans.layer_map import LayerMap
from ftcli.registry import Choice

_RANGE = re.compile(r"(.+)\[(\d*):(\d*)\]")
"""As Python slices a row of blocks."""


class Stages(Choice):
    """LR by stage name, glob over stage names or range of numbered stages; the first pattern that matches wins.

    `layer[:6]` are the stages layer.0 to layer.5, `layer[6:]` those from layer.6 on.
    A stage that no pattern matches trains at the base LR (`optimizer.lr`).
    """

    kind: Literal["stages"]
    lr: dict[str, Annotated[float, Field(gt=0, le=10)]] = Field(min_length=1)
    """For instance {stem: 1e-6, layer1: 1e-6, layer2: 3e-6, layer3: 1e-5, layer4: 3e-5, head: 3e-4}; of a transformer
    {stem: 1e-5, "layer[:6]": 1e-5, "layer[6:]": 2e-5, head: 3e-5}."""


def scales(options: Stages, layer_map: LayerMap, base_lr: float) -> dict[int, float]:
    """Layer index -> factor on the base LR."""
    for pattern in options.lr:
        if not any(_matches(stage, pattern) for stage in layer_map.stages):
            near = ", ".join(nearest_names(layer_map, pattern))
            message = f"{pattern!r} matches no stage of {layer_map.backbone}"
            raise RecipeError(Problem(f"layer_lr.lr.{pattern}", message, f"nearest: {near}"))
    return {layer.index: _rate(options, layer.stage, base_lr) / base_lr for layer in layer_map.layers}


def _rate(options: Stages, stage: str, base_lr: float) -> float:
    matches = (rate for pattern, rate in options.lr.items() if _matches(stage, pattern))
    return next(matches, base_lr)


def _matches(stage: str, pattern: str) -> bool:
    numbered = _RANGE.fullmatch(pattern)
    if numbered is None:
        return fnmatchcase(stage, pattern)
    row, start, end = numbered.groups()
    number = stage.removeprefix(f"{row}.")
    return number != stage and number.isdigit() and int(start or 0) <= int(number) < int(end or sys.maxsize)
