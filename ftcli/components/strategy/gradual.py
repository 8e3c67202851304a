"""Gradual unfreezing (ULMFiT, Howard & Ruder 2018): the head first, then one more stage at a time from the top."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ftcli.errors import Problem, RecipeError
from ftcli.plans import freeze_mask
from ftcli.plans.layer_map import HEAD, LayerMap
from ftcli.plans.phase import Plateau, Stretch
from ftcli.registry import Choice, Many, Options

from ._common import mask_at, too_few_epochs


class Unfreeze(Options):
    """From `epoch` on, `stage` trains too."""

    stage: str
    """A stage name, or a glob over stage or parameter names."""
    epoch: int = Field(ge=1)
    """The first epoch (counted from 0) in which it trains."""


class Gradual(Choice):
    """One stage every `every` epochs from the top, the stem last; or `schedule`; or `on: plateau`."""

    kind: Literal["gradual"]
    head_epochs: int | None = Field(default=None, ge=1)
    """Epochs of the head alone; default `every`."""
    every: int = Field(default=1, ge=1)
    """Epochs between two stages."""
    to_stage: str | None = None
    """The lowest stage ever unfrozen; default the stem."""
    schedule: Many[Unfreeze] | None = Field(default=None, min_length=1)
    """An explicit schedule instead: which stage from which epoch on."""
    on: Literal["epoch", "plateau"] = "epoch"
    """plateau: unfreeze when the checkpoint metric stops improving, instead of every n epochs."""
    patience: int = Field(default=2, ge=1)
    """on: plateau: epochs without improvement before the next stage."""
    min_delta: float = Field(default=0.0, ge=0)
    """on: plateau: the least gain that counts as improvement."""

    @model_validator(mode="after")
    def _one_way(self) -> Gradual:
        if self.schedule is not None:
            fields = type(self).model_fields
            others = ("head_epochs", "every", "to_stage", "on", "patience", "min_delta")
            meant = [name for name in others if getattr(self, name) != fields[name].default]
            if meant:
                raise ValueError(f"schedule stands alone: remove {', '.join(meant)}")
            epochs = [step.epoch for step in self.schedule]
            if epochs != sorted(epochs):
                raise ValueError("the epochs of schedule must not go down")
        return self


def phases(options: Gradual, layer_map: LayerMap, epochs: int) -> tuple[Stretch, ...]:
    if options.schedule is not None:
        return _scheduled(options.schedule, layer_map, epochs)
    stages = _stages_from_the_top(options, layer_map)
    if options.on == "plateau":
        return _on_plateau(options, stages, layer_map, epochs)
    first = options.head_epochs or options.every
    starts = [0, *(first + options.every * i for i in range(len(stages)))]
    if starts[-1] >= epochs:
        why = f"the head and {len(stages)} stages, the last unfrozen at epoch {starts[-1]}"
        raise too_few_epochs(epochs, starts[-1] + 1, why)
    return _grow(layer_map, stages, [*starts[1:], epochs])


def _stages_from_the_top(options: Gradual, layer_map: LayerMap) -> list[str]:
    stages = list(layer_map.backbone_stages)
    if options.to_stage is not None:
        mask_at("strategy.to_stage", freeze_mask.from_stage, layer_map, options.to_stage)
        stages = [s for s in stages if stages.index(s) >= layer_map.stages.index(options.to_stage)]
    return stages[::-1]


def _on_plateau(options: Gradual, stages: list[str], layer_map: LayerMap, epochs: int) -> tuple[Stretch, ...]:
    """Each phase may last as long as one epoch is left for every phase after it."""
    if epochs <= len(stages):
        raise too_few_epochs(epochs, len(stages) + 1, f"the head and {len(stages)} stages, one epoch each")
    ends = [epochs - len(stages) + i for i in range(len(stages) + 1)]
    return _grow(layer_map, stages, ends, Plateau(options.patience, options.min_delta))


def _grow(
    layer_map: LayerMap, stages: list[str], ends: list[int], plateau: Plateau | None = None
) -> tuple[Stretch, ...]:
    """The head, then each stage in turn added to what trains; the last stretch ends with the run."""
    grown = [Stretch(HEAD, freeze_mask.head(layer_map), ends[0], plateau)]
    for stage, end in zip(stages, ends[1:], strict=True):
        mask = grown[-1].mask | freeze_mask.stages(layer_map, stage)
        last = stage == stages[-1]
        grown.append(Stretch(f"+{stage}", mask, end, None if last else plateau))
    return tuple(grown)


def _scheduled(schedule: tuple[Unfreeze, ...], layer_map: LayerMap, epochs: int) -> tuple[Stretch, ...]:
    mask, name = freeze_mask.head(layer_map), HEAD
    stretches: list[Stretch] = []
    for index, step in enumerate(schedule):
        if step.epoch >= epochs:
            raise too_few_epochs(
                epochs, step.epoch + 1, f"the unfreezing of {step.stage!r} at epoch {step.epoch}"
            )
        thawed = mask_at(f"strategy.schedule[{index}].stage", freeze_mask.matching, layer_map, step.stage)
        if thawed <= mask:
            raise RecipeError(
                Problem(
                    f"strategy.schedule[{index}].stage", f"{step.stage!r} trains already", "remove this entry"
                )
            )
        began = stretches[-1].end_epoch if stretches else 0
        if step.epoch > began:
            stretches.append(Stretch(name, mask, step.epoch))
            name = f"+{step.stage}"
        else:
            name = f"{name} +{step.stage}"
        mask |= thawed
    return (*stretches, Stretch(name, mask, epochs))
