"""Partial fine-tuning: the top of the backbone and the head train, the rest stays."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ftcli.plans import freeze_mask
from ftcli.plans.freeze_mask import FreezeMask
from ftcli.plans.layer_map import LayerMap
from ftcli.plans.phase import Stretch
from ftcli.registry import Choice, Many

from ._common import mask_at


class Partial(Choice):
    """Give one of `last_stages`, `from_stage` or `train`; the default is the last stage. The head always trains."""

    kind: Literal["partial"]
    last_stages: Annotated[int, Field(ge=1)] | None = None
    """How many stages of the backbone train, counted from the head. Stages, not layers: see `ftcli models show`."""
    from_stage: str | None = None
    """The lowest stage that trains; every one above it does too."""
    train: Many[str] | None = Field(default=None, min_length=1)
    """Stage names, or globs over stage or parameter names (`layer4.1.*`)."""

    @model_validator(mode="after")
    def _one_way(self) -> Partial:
        given = [value for value in (self.last_stages, self.from_stage, self.train) if value is not None]
        if len(given) > 1:
            raise ValueError("give one of last_stages, from_stage and train")
        return self


def phases(options: Partial, layer_map: LayerMap, epochs: int) -> tuple[Stretch, ...]:
    return (Stretch("partial", _mask(options, layer_map), epochs),)


def _mask(options: Partial, layer_map: LayerMap) -> FreezeMask:
    if options.from_stage is not None:
        return mask_at("strategy.from_stage", freeze_mask.from_stage, layer_map, options.from_stage)
    if options.train is not None:
        mask = freeze_mask.head(layer_map)
        for index, pattern in enumerate(options.train):
            mask |= mask_at(f"strategy.train[{index}]", freeze_mask.matching, layer_map, pattern)
        return mask
    count = 1 if options.last_stages is None else options.last_stages
    return mask_at("strategy.last_stages", freeze_mask.last_stages, layer_map, count)
