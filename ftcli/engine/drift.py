"""How far weights, running statistics and features lie from where the run began, stage by stage."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ftcli.engine.features import Stages, stage_features
from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.inputs import evaluated
from ftcli.engine.network import Network
from ftcli.engine.precision import autocast
from ftcli.engine.quantised_base import FullWeights
from ftcli.engine.stopwatch import span
from ftcli.engine.work import Work
from ftcli.plans.data_splits import VAL
from ftcli.plans.layer_map import LayerMap
from ftcli.plans.phase import Phase
from ftcli.plans.signals import StageDrift
from ftcli.plans.training_plan import TrainingPlan

State = dict[str, Tensor]
MOST_IMAGES, FEWEST_IMAGES = 32, 8
SHARE_OF_WORK = 0.01
"""Of the forward passes that a run's training is worth: so much may go into measuring features. Weights cost half a
percent more of an epoch on 140 images."""
TRAINING_STEP = 3
"""Forward passes that a training step is worth."""


@dataclass(frozen=True)
class Cadence:
    """`images` at a time; after the last epoch of a phase that trains the backbone, and every so many epochs.

    No images where the run is so short that looking at them would be a part of it to speak of.
    """

    images: int
    every: int


def cadence_of(plan: TrainingPlan) -> Cadence:
    """By counting, not by a clock: a run that was cut off measures in the same epochs."""
    passes = sum(
        TRAINING_STEP
        * plan.num_train
        * phase.epochs
        * (1 - (phase.prefix.cost.share if phase.prefix.cost else 0))
        for phase in plan.phases
        if phase.trains_backbone
    )
    budget = int(SHARE_OF_WORK * passes)
    fewest = 2 + sum(
        phase.trains_backbone for phase in plan.phases
    )  # the start, the best, and each phase's last
    most = max(FEWEST_IMAGES, min(MOST_IMAGES, plan.batch_size))
    images = min(most, budget // fewest)
    if images < FEWEST_IMAGES:
        return Cadence(0, plan.epochs)
    times = budget // images - fewest + 1
    return Cadence(images, max(1, math.ceil(plan.epochs / times)))


def start_of(network: Network, plan: TrainingPlan) -> State:
    """A copy, in the machine's memory, of what the plan may move: parameters that train, statistics that update."""
    names = {name for phase in plan.phases for group in phase.groups for name in group.params}
    updated = {mode.name for phase in plan.phases for mode in phase.batch_norms if mode.updates_stats}
    names |= {name for bn in network.layer_map.batch_norms if bn.name in updated for name in bn.buffers}
    state = network.model.state_dict()
    return {name: state[name].to("cpu", copy=True) for name in names if name in state}


@dataclass
class DriftMeter:
    """Compares the network with its `start`; it changes nothing of it."""

    work: Work
    start: State
    cadence: Cadence = field(init=False)
    _images: Tensor | None = field(init=False, default=None)
    _first: Stages = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.cadence = cadence_of(self.work.plan)
        if self.cadence.images and any(phase.trains_backbone for phase in self.work.plan.phases):
            with span("drift"):
                self._images = _images(self.work, self.cadence.images)
                self._first = self._at_the_start()

    def after_epoch(self, epoch: int, phase: Phase, /) -> tuple[StageDrift, ...]:
        """Features where the cadence says so, and after the last epoch that a phase can have."""
        due = (epoch + 1) % self.cadence.every == 0 or epoch + 1 == phase.end_epoch
        return self.measure(features=due and phase.trains_backbone)

    @torch.no_grad()
    def measure(self, *, features: bool) -> tuple[StageDrift, ...]:
        """Of every stage that the plan moves, or one above it; as the network is now, in eval mode afterwards."""
        with span("drift"):
            now = self._features() if features and self._first else {}
            state = FullWeights(self.work.network.model)
            return tuple(self._of(stage, state, now) for stage in self._moving)

    def _of(self, stage: str, state: Mapping[str, Tensor], now: Stages) -> StageDrift:
        layers = self.work.network.layer_map
        weights, stats = _weights(layers, stage), statistics_of(layers, stage)
        return StageDrift(
            stage,
            relative_change(weights, state, self.start),
            relative_change(stats, state, self.start) if stats else None,
            distance(self._first.get(stage), now.get(stage)),
        )

    @property
    def _moving(self) -> tuple[str, ...]:
        """From the first stage on of which something is in `start`."""
        layers = self.work.network.layer_map
        stages = layers.stages
        first = next((at for at, stage in enumerate(stages) if self._can_move(layers, stage)), 0)
        return stages[first:]

    def _can_move(self, layers: LayerMap, stage: str) -> bool:
        return any(name in self.start for name in (*_weights(layers, stage), *statistics_of(layers, stage)))

    def _features(self) -> Stages:
        """Of each stage of the backbone; empty where memory is so short that batches go through in halves."""
        images = self._images
        if images is None or self.work.steps.size is not None:
            return {}
        enter_eval_mode(self.work.network)
        with torch.inference_mode(), autocast(self.work.plan.precision, self.work.device):
            return stage_features(self.work.network, lambda: self.work.forward(images))

    def _at_the_start(self) -> Stages:
        """With the first weights put in for a moment: a run that goes on has others."""
        model = self.work.network.model
        now = {name: tensor.clone() for name, tensor in model.state_dict().items() if name in self.start}
        model.load_state_dict(self.start, strict=False)
        try:
            return self._features()
        finally:
            model.load_state_dict(now, strict=False)


def _images(work: Work, count: int) -> Tensor | None:
    """From all over the validation stream, uint8 (N, 3, S, S) or tokens (N, L); None where too few to compare."""
    store = work.batches.store
    stream = store.splits.streams[VAL]
    found = evaluated(store, stream[:: max(len(stream) // count, 1)][:count])
    return found.to(work.device) if found is not None and len(found) >= FEWEST_IMAGES else None


def _weights(layers: LayerMap, stage: str) -> list[str]:
    return [parameter.name for parameter in layers.in_stages([stage])]


def statistics_of(layers: LayerMap, stage: str) -> list[str]:
    """Running means and variances; a count of batches is none of them."""
    norms = [bn for bn in layers.batch_norms if bn.stage == stage]
    return [name for bn in norms for name in bn.buffers if not name.endswith("num_batches_tracked")]


def relative_change(names: Iterable[str], now: Mapping[str, Tensor], start: Mapping[str, Tensor]) -> float:
    """|now - start| / |start| over the named tensors together. What `start` lacks has not moved, nor can it."""
    change = size = 0.0
    for name in names:
        present = now[name].detach()
        first = start[name].to(present.device) if name in start else present
        size += torch.linalg.vector_norm(first, dtype=torch.float32).item() ** 2
        if name in start:
            change += torch.linalg.vector_norm(present - first, dtype=torch.float32).item() ** 2
    return math.sqrt(change / size) if size else 0.0


def distance(first: Tensor | None, now: Tensor | None) -> float | None:
    """1 - CKA of two Gram matrices (N, N); None where one is missing, or where all images look alike in one."""
    if first is None or now is None or first.shape != now.shape:
        return None
    between, of_first, of_now = _hsic(first, now), _hsic(first, first), _hsic(now, now)
    if not (of_first > 0 and of_now > 0 and math.isfinite(between)):
        return None
    return min(1.0, max(0.0, 1 - between / math.sqrt(of_first * of_now)))


def _hsic(a_NN: Tensor, b_NN: Tensor) -> float:
    """Unbiased (Song et al. 2012, eq. 5), but for a factor that CKA is free of."""
    n = len(a_NN)
    a, b = a_NN.clone().fill_diagonal_(0), b_NN.clone().fill_diagonal_(0)
    together = (a * b).sum() + a.sum() * b.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (a.sum(0) @ b.sum(0))
    return float(together)
