"""What trains where and when, counted from the facts: one cell for each stage and phase."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ftcli.plans.freeze_facts import FreezeFacts, NormFacts, ParameterFacts


@dataclass(frozen=True)
class NormCount:
    """BatchNorm layers: how many there are, update their statistics, train gamma and beta."""

    layers: int
    updates_stats: int
    trains_affine: int


@dataclass(frozen=True)
class Cell:
    """One stage in one phase. LRs are peaks, the lowest and highest of its parameters; None where none has one."""

    phase: str
    trainable: int
    trainable_share: float
    """Of the stage's parameters, 0 to 1."""
    in_optimizer: int
    """Parameters that some group of the optimizer holds, trainable or not."""
    groups: tuple[int, ...]
    lr_low: float | None
    lr_high: float | None
    weight_decay: tuple[float, ...]
    """The distinct values of its groups, ascending: biases and norms have 0."""
    batch_norm: NormCount
    dtypes: tuple[str, ...]


@dataclass(frozen=True)
class StageRow:
    """`phases` holds one cell for each phase, in their order."""

    name: str
    parameters: int
    share: float
    """Of the network's parameters, 0 to 1."""
    phases: tuple[Cell, ...]


@dataclass(frozen=True)
class PhaseColumn:
    """A phase over the whole network. Epochs count from 0; `end_epoch` is the first after it."""

    name: str
    start_epoch: int | None
    end_epoch: int | None
    """Both None for a living model, which is in no phase."""
    stages: tuple[str, ...]
    """The stages of which something trains."""
    trainable: int
    trainable_share: float
    lr_head: float | None
    lr_lowest: float | None
    """LR of the lowest stage that trains."""
    batch_norm: NormCount
    """Over the stages that train."""


@dataclass(frozen=True)
class FreezeTable:
    """`stages` from input to output, the head last."""

    parameters: int
    stages: tuple[StageRow, ...]
    phases: tuple[PhaseColumn, ...]


def freeze_table(phases: Sequence[FreezeFacts]) -> FreezeTable:
    """Count the facts of one network in one phase or several."""
    return FreezeTable(
        parameters=phases[0].numel(),
        stages=tuple(_stage_row(phases, stage) for stage in phases[0].stages),
        phases=tuple(_phase_column(facts) for facts in phases),
    )


def _stage_row(phases: Sequence[FreezeFacts], stage: str) -> StageRow:
    parameters = _numel(phases[0].by_stage[stage])
    cells = tuple(_cell(facts, stage) for facts in phases)
    return StageRow(stage, parameters, _share(parameters, phases[0].numel()), cells)


def _cell(facts: FreezeFacts, stage: str) -> Cell:
    parameters = facts.by_stage[stage]
    trainable = _numel(p for p in parameters if p.trains)
    held = [p for p in parameters if p.groups]
    rates = _rates(parameters)
    return Cell(
        phase=facts.phase,
        trainable=trainable,
        trainable_share=_share(trainable, _numel(parameters)),
        in_optimizer=_numel(held),
        groups=tuple(sorted({group for p in held for group in p.groups})),
        lr_low=min(rates, default=None),
        lr_high=max(rates, default=None),
        weight_decay=tuple(sorted({p.weight_decay for p in held if p.weight_decay is not None})),
        batch_norm=_norms(norm for norm in facts.batch_norms if norm.stage == stage),
        dtypes=tuple(dict.fromkeys(p.dtype for p in parameters)),
    )


def _phase_column(facts: FreezeFacts) -> PhaseColumn:
    trained = {p.stage for p in facts.parameters if p.trains}
    stages = tuple(stage for stage in facts.stages if stage in trained)
    trainable = _numel(p for p in facts.parameters if p.trains)
    start, end = facts.epochs or (None, None)
    return PhaseColumn(
        name=facts.phase,
        start_epoch=start,
        end_epoch=end,
        stages=stages,
        trainable=trainable,
        trainable_share=_share(trainable, facts.numel()),
        lr_head=max(_rates(facts.head), default=None),
        lr_lowest=min(_rates(facts.by_stage[stages[0]]), default=None) if stages else None,
        batch_norm=_norms(norm for norm in facts.batch_norms if norm.stage in trained),
    )


def _rates(parameters: Iterable[ParameterFacts]) -> list[float]:
    """The LRs of those that train."""
    return [p.lr for p in parameters if p.trains and p.lr is not None]


def _numel(parameters: Iterable[ParameterFacts]) -> int:
    return sum(p.numel for p in parameters)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _norms(norms: Iterable[NormFacts]) -> NormCount:
    listed = list(norms)
    return NormCount(
        layers=len(listed),
        updates_stats=sum(norm.updates_stats for norm in listed),
        trains_affine=sum(norm.trains_affine for norm in listed),
    )
