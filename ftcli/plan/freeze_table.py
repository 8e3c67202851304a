"""What trains where and when, counted from a TrainingPlan: one cell for each stage and phase."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ftcli.plan.layer_map import HEAD, LayerMap
from ftcli.plan.param_group import ParamGroup
from ftcli.plan.phase import BatchNormMode, Phase
from ftcli.plan.training_plan import TrainingPlan


@dataclass(frozen=True)
class NormCount:
    """BatchNorm layers: how many there are, update their statistics, train gamma and beta."""

    layers: int
    updates_stats: int
    trains_affine: int


@dataclass(frozen=True)
class Cell:
    """One stage in one phase. LRs are peaks, the lowest and highest of its layers; None when frozen."""

    phase: str
    trainable: int
    trainable_share: float
    """Of the stage's parameters, 0 to 1."""
    lr_low: float | None
    lr_high: float | None
    weight_decay: tuple[float, ...]
    """The distinct values of its groups, ascending: biases and norms have 0."""
    batch_norm: NormCount


@dataclass(frozen=True)
class StageRow:
    """`phases` holds one cell for each phase of the plan, in its order."""

    name: str
    parameters: int
    phases: tuple[Cell, ...]


@dataclass(frozen=True)
class PhaseColumn:
    """A phase over the whole network. Epochs count from 0; `end_epoch` is the first after it."""

    name: str
    start_epoch: int
    end_epoch: int
    stages: tuple[str, ...]
    """The stages of which something trains."""
    trainable: int
    trainable_share: float
    lr_head: float | None
    lr_lowest: float
    """Peak LR of the lowest stage that trains."""
    batch_norm: NormCount
    """Over the stages that train."""


@dataclass(frozen=True)
class FreezeTable:
    """`stages` from input to output, the head last."""

    parameters: int
    stages: tuple[StageRow, ...]
    phases: tuple[PhaseColumn, ...]


def freeze_table(plan: TrainingPlan) -> FreezeTable:
    """Count what the optimizer of each phase holds; what is in none of its groups is frozen."""
    layer_map = plan.layer_map
    return FreezeTable(
        parameters=layer_map.numel(),
        stages=tuple(_stage_row(plan, stage) for stage in layer_map.stages),
        phases=tuple(_phase_column(plan, phase) for phase in plan.phases),
    )


def _stage_row(plan: TrainingPlan, stage: str) -> StageRow:
    parameters = sum(p.numel for p in plan.layer_map.in_stages([stage]))
    return StageRow(stage, parameters, tuple(_cell(plan, phase, stage, parameters) for phase in plan.phases))


def _cell(plan: TrainingPlan, phase: Phase, stage: str, parameters: int) -> Cell:
    groups = [group for group in phase.groups if group.stage == stage]
    rates = _rates(plan, phase, stage)
    trainable = _count(plan.layer_map, groups)
    return Cell(
        phase=phase.name,
        trainable=trainable,
        trainable_share=_share(trainable, parameters),
        lr_low=min(rates, default=None),
        lr_high=max(rates, default=None),
        weight_decay=tuple(sorted({group.weight_decay for group in groups})),
        batch_norm=_norms(mode for mode in phase.batch_norms if mode.stage == stage),
    )


def _phase_column(plan: TrainingPlan, phase: Phase) -> PhaseColumn:
    trained = {group.stage for group in phase.groups}
    stages = tuple(stage for stage in plan.layer_map.stages if stage in trained)
    rates = {stage: _rates(plan, phase, stage) for stage in stages}
    trainable = _count(plan.layer_map, phase.groups)
    return PhaseColumn(
        name=phase.name,
        start_epoch=phase.start_epoch,
        end_epoch=phase.end_epoch,
        stages=stages,
        trainable=trainable,
        trainable_share=_share(trainable, plan.layer_map.numel()),
        lr_head=max(rates[HEAD]) if HEAD in rates else None,
        lr_lowest=min(rates[stages[0]]) if stages else 0.0,
        batch_norm=_norms(mode for mode in phase.batch_norms if mode.stage in trained),
    )


def _rates(plan: TrainingPlan, phase: Phase, stage: str) -> list[float]:
    return [plan.optimizer.lr * group.lr_scale for group in phase.groups if group.stage == stage]


def _count(layer_map: LayerMap, groups: Iterable[ParamGroup]) -> int:
    return sum(layer_map.numel(group.params) for group in groups)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _norms(modes: Iterable[BatchNormMode]) -> NormCount:
    listed = list(modes)
    return NormCount(
        layers=len(listed),
        updates_stats=sum(mode.updates_stats for mode in listed),
        trains_affine=sum(mode.trains_affine for mode in listed),
    )
