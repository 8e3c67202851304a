"""One stretch of training with one freeze mask: first as a strategy drafts it, then as it will be performed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ftcli.plans.freeze_mask import FreezeMask
from ftcli.plans.lr_curve import LrCurve
from ftcli.plans.param_group import ParamGroup
from ftcli.plans.prefix import FrozenPrefix


@dataclass(frozen=True)
class Plateau:
    """Move on when the checkpoint metric has not improved by `min_delta` for `patience` epochs."""

    patience: int
    min_delta: float = 0.0


@dataclass(frozen=True)
class Stretch:
    """A strategy's draft of a phase. `end_epoch` is the first epoch that no longer belongs to it."""

    name: str
    mask: FreezeMask
    end_epoch: int
    plateau: Plateau | None = None
    restarts_curve: bool = False
    """True: the LR curve starts anew here and ends with the phase or the next restart."""


@dataclass(frozen=True)
class BatchNormMode:
    """How one BatchNorm layer runs in a phase: `updates_stats` is train mode, else eval mode."""

    name: str
    stage: str
    updates_stats: bool
    trains_affine: bool


@dataclass(frozen=True)
class Phase:
    """What the engine performs. Epochs count over the whole run; `start_epoch` is the earliest start."""

    name: str
    start_epoch: int
    end_epoch: int
    mask: FreezeMask
    groups: tuple[ParamGroup, ...]
    curve: LrCurve
    curve_start: int
    """The epoch of the run at which the curve's position is 0."""
    plateau: Plateau | None
    train_layers: frozenset[int]
    """Layers in train mode; every other layer is in eval mode, its dropout and drop-path off."""
    batch_norms: tuple[BatchNormMode, ...]
    frozen_tensors: tuple[str, ...]
    """Parameters and buffers that must hold the same bits at the end of the phase as at its start."""
    prefix: FrozenPrefix

    @property
    def epochs(self) -> int:
        """The most epochs it can last."""
        return self.end_epoch - self.start_epoch

    @property
    def trains_backbone(self) -> bool:
        return any(group.stage != "head" for group in self.groups)

    def lr_factor(self, epoch: float) -> float:
        """The factor on every group's peak LR at `epoch` (of the run, fractions allowed)."""
        return self.curve.factor(epoch - self.curve_start)


def ever_lower(phases: Iterable[Phase]) -> Iterator[Phase]:
    """Those that keep what lies below the boundaries of all phases before them: until then nothing trains there."""
    lowest = None
    for phase in phases:
        boundary = phase.prefix.boundary
        if phase.prefix.kept and (lowest is None or boundary < lowest):
            yield phase
        lowest = boundary if lowest is None else min(lowest, boundary)
