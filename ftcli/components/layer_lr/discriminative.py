"""Discriminative LRs (ULMFiT, Howard & Ruder 2018): lower where the features are more general."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ftcli.errors import Problem, RecipeError
from ftcli.plans.layer_map import HEAD, LayerMap
from ftcli.registry import Choice, Many

Rate = Annotated[float, Field(gt=0, le=10)]


class Discriminative(Choice):
    """Three forms, over stages.

    `backbone_divisor` (default 10): the head at the base LR, the backbone at base / 10.
    `lowest` and `highest`: geometric from the first stage to the head.
    `divisors`, say [100, 10, 3]: base / 100 for the stem and the first stage, / 10, / 3, then the base LR.
    """

    kind: Literal["discriminative"] = "discriminative"
    backbone_divisor: float | None = Field(default=None, ge=1)
    """How far below the head's the backbone's LR lies: 10 to 100."""
    lowest: Rate | None = None
    """LR of the first stage."""
    highest: Rate | None = None
    """LR of the head."""
    divisors: Many[Annotated[float, Field(ge=1)]] | None = Field(default=None, min_length=1)
    """Divisors of the base LR from the first stage up; the stem shares the first."""

    @model_validator(mode="after")
    def _one_form(self) -> Discriminative:
        if (self.lowest is None) != (self.highest is None):
            raise ValueError("lowest and highest go together")
        if self.lowest is not None and self.highest is not None and self.lowest > self.highest:
            raise ValueError("lowest is above highest")
        forms = [value for value in (self.backbone_divisor, self.lowest, self.divisors) if value is not None]
        if len(forms) > 1:
            raise ValueError("give one of backbone_divisor, lowest with highest, and divisors")
        return self


def scales(options: Discriminative, layer_map: LayerMap, base_lr: float) -> dict[int, float]:
    """Layer index -> factor on the base LR."""
    by_stage = _by_stage(options, layer_map, base_lr)
    return {layer.index: by_stage[layer.stage] for layer in layer_map.layers}


def _by_stage(options: Discriminative, layer_map: LayerMap, base_lr: float) -> dict[str, float]:
    stages = layer_map.stages
    if options.lowest is not None and options.highest is not None:
        ratio = options.highest / options.lowest
        last = max(len(stages) - 1, 1)
        return {s: options.lowest * ratio ** (k / last) / base_lr for k, s in enumerate(stages)}
    if options.divisors is not None:
        return _divided(options.divisors, layer_map)
    divisor = options.backbone_divisor or 10.0
    return {s: 1.0 if s == HEAD else 1.0 / divisor for s in stages}


def _divided(divisors: tuple[float, ...], layer_map: LayerMap) -> dict[str, float]:
    stem, *rest = layer_map.backbone_stages
    if len(divisors) > len(rest):
        message = (
            f"{len(divisors)} divisors for the {len(rest)} stages above the stem of {layer_map.backbone}"
        )
        raise RecipeError(Problem("layer_lr.divisors", message, f"give at most {len(rest)}"))
    padded = [*divisors, *[1.0] * (len(rest) - len(divisors))]
    scale = {stage: 1.0 / divisor for stage, divisor in zip(rest, padded, strict=True)}
    return {stem: 1.0 / divisors[0], **scale, HEAD: 1.0}
