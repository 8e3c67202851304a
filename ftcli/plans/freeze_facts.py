"""Four facts of every tensor, joined: does it train, in which mode is its norm, which optimizer group has it, how fast.

Read off a TrainingPlan here, off a living model and its optimizer by the engine: the same nouns, the same verdicts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from ftcli.plans.layer_map import HEAD, Layer, Parameter
from ftcli.plans.phase import Phase
from ftcli.plans.training_plan import TrainingPlan

FROZEN_SHARE = 0.1
"""A layer of whose weights less than this share trains counts as frozen: an adapter, LoRA or biases alone leave it
as the fixed function that its statistics were taken from."""

Key = TypeVar("Key", str, int)

PLANNED_DTYPE = "float32"
"""Parameters stay in it whatever the precision of the forward pass."""


@dataclass(frozen=True)
class ParameterFacts(Parameter):
    """One parameter. `other_names` are those of the same tensor elsewhere in the model (weight tying)."""

    trains: bool
    """requires_grad."""
    groups: tuple[int, ...]
    """The optimizer's groups that hold it, counted from 0; as it should be, one or none."""
    lr: float | None
    """Its highest LR of the phase in a plan, the LR of now in a living optimizer; None in no group."""
    weight_decay: float | None
    dtype: str = PLANNED_DTYPE
    other_names: tuple[str, ...] = ()
    has_gradient: bool = False
    stuck_share: float | None = None
    """Of its values, those that a step of `lr` leaves as they are in this dtype, 0 to 1; None where not known."""
    later_lr: float | None = None
    """The LR that a scheduler starts from (`initial_lr`), where there is one."""


@dataclass(frozen=True)
class NormFacts:
    """One BatchNorm. `updates_stats` is train mode: its running mean and variance move with every batch."""

    name: str
    layer: int
    stage: str
    updates_stats: bool
    trains_affine: bool
    train_call_resets: bool = False
    """In eval mode now, and the next `model.train()` puts it into train mode."""


@dataclass(frozen=True)
class DropoutFacts:
    """A dropout or drop-path with a rate above 0; `active` is train mode."""

    name: str
    layer: int
    stage: str
    rate: float
    active: bool


@dataclass(frozen=True)
class FreezeFacts:
    """A network in one phase. `epochs` are the first and the one after the last; None for a living model."""

    phase: str
    layers: tuple[Layer, ...]
    parameters: tuple[ParameterFacts, ...]
    batch_norms: tuple[NormFacts, ...] = ()
    dropouts: tuple[DropoutFacts, ...] = ()
    optimizer: str | None = None
    """Its class or kind; None without one."""
    num_groups: int = 0
    optimizer_of_group: tuple[int, ...] = ()
    """Of each group, which optimizer it belongs to; empty where there is one."""
    strangers: tuple[str, ...] = ()
    """What the optimizer holds and the model does not: "group 0, a tensor of (10, 512)"."""
    shared: tuple[tuple[str, ...], ...] = ()
    """Names of different parameters over the same memory."""
    tied_to_head: tuple[str, ...] = ()
    """Parameters below the head that are the head's as well (an output layer tied to its embedding)."""
    head_outputs: int | None = None
    """Width of the head's output, where it ends in a linear layer."""
    epochs: tuple[int, int] | None = None

    @cached_property
    def stages(self) -> tuple[str, ...]:
        """From input to output."""
        return tuple(dict.fromkeys(layer.stage for layer in self.layers))

    @cached_property
    def by_stage(self) -> dict[str, tuple[ParameterFacts, ...]]:
        return _grouped(self.stages, ((p.stage, p) for p in self.parameters))

    @cached_property
    def by_layer(self) -> dict[int, tuple[ParameterFacts, ...]]:
        return _grouped((layer.index for layer in self.layers), ((p.layer, p) for p in self.parameters))

    @property
    def head(self) -> tuple[ParameterFacts, ...]:
        """The head's own parameters and those that are tied to it."""
        tied = tuple(p for p in self.parameters if p.name in self.tied_to_head)
        return (*self.by_stage.get(HEAD, ()), *tied)

    def numel(self) -> int:
        return sum(p.numel for p in self.parameters)


def _grouped(
    keys: Iterable[Key], members: Iterable[tuple[Key, ParameterFacts]]
) -> dict[Key, tuple[ParameterFacts, ...]]:
    found: dict[Key, list[ParameterFacts]] = {key: [] for key in keys}
    for key, member in members:
        found[key].append(member)
    return {key: tuple(listed) for key, listed in found.items()}


def plan_facts(plan: TrainingPlan) -> tuple[FreezeFacts, ...]:
    """What the optimizer of each phase will hold and every mode will be."""
    return tuple(_phase_facts(plan, phase) for phase in plan.phases)


def _phase_facts(plan: TrainingPlan, phase: Phase) -> FreezeFacts:
    layer_of = {norm.name: norm.layer for norm in plan.layer_map.batch_norms}
    return FreezeFacts(
        phase=phase.name,
        layers=plan.layer_map.layers,
        parameters=tuple(_parameter_facts(plan, phase)),
        batch_norms=tuple(
            NormFacts(mode.name, layer_of[mode.name], mode.stage, mode.updates_stats, mode.trains_affine)
            for mode in phase.batch_norms
        ),
        optimizer=plan.optimizer.kind,
        num_groups=len(phase.groups),
        head_outputs=len(plan.classes),
        epochs=(phase.start_epoch, phase.end_epoch),
    )


def _parameter_facts(plan: TrainingPlan, phase: Phase) -> Iterable[ParameterFacts]:
    groups = {name: number for number, group in enumerate(phase.groups) for name in group.params}
    for p in plan.layer_map.parameters:
        number = groups.get(p.name)
        group = None if number is None else phase.groups[number]
        yield ParameterFacts(
            name=p.name,
            shape=p.shape,
            layer=p.layer,
            stage=p.stage,
            is_norm=p.is_norm,
            is_adapter=p.is_adapter,
            trains=p.name in phase.mask,
            groups=() if number is None else (number,),
            lr=None if group is None else plan.optimizer.lr * group.lr_scale,
            weight_decay=None if group is None else group.weight_decay,
        )
