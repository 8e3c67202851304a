"""From a plan and what was counted of its phases to what the run is likely to take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ftcli.plans.estimate import Estimate, Memory, StepMemory
from ftcli.plans.forecast import Forecast
from ftcli.plans.phase import Phase
from ftcli.plans.tokenization import Tokenization
from ftcli.plans.training_plan import TrainingPlan

_STATES: Mapping[str, int] = {"adamw": 2, "sgd": 1}
"""Numbers that the optimizer keeps for each that it moves."""
_FP32 = 4
_TOKEN = 4
SQUARE = 1.0


@dataclass(frozen=True)
class Images:
    """How many there are of each stream. `stretch`: longer side over shorter, the mean, where it is known.

    `read_seconds`: to decode one, by itself; None where that was not timed."""

    num_train: int
    num_val: int
    num_test: int
    stretch: float = SQUARE
    read_seconds: float | None = None

    @property
    def total(self) -> int:
        return self.num_train + self.num_val + self.num_test


def estimate(
    plan: TrainingPlan,
    counted: Sequence[StepMemory],
    forecasts: Sequence[Forecast],
    tensors: int,
    images: Images,
) -> Estimate:
    """`counted` and `forecasts` by phase, the latter empty where nothing was timed.

    `tensors`: the bytes of all parameters and buffers, as they are kept.
    """
    widest = max(plan.phases, key=lambda phase: plan.layer_map.numel(phase.mask.trainable))
    memories = [_memory(plan, phase, each, tensors) for phase, each in zip(plan.phases, counted, strict=True)]
    return Estimate(
        trainable=plan.layer_map.numel(widest.mask.trainable),
        parameters=plan.layer_map.numel(),
        memory=max(memories, key=lambda memory: memory.total),
        seconds=_seconds(plan, forecasts) if forecasts else None,
        reading_seconds=None if images.read_seconds is None else images.read_seconds * images.total,
        pixel_bytes=_pixels(plan, images),
        feature_bytes=_features(plan, images),
        device=plan.machine.device,
    )


def _memory(plan: TrainingPlan, phase: Phase, counted: StepMemory, tensors: int) -> Memory:
    trainable = plan.layer_map.numel(phase.mask.trainable)
    return Memory(
        weights=tensors,
        gradients=_FP32 * trainable,
        optimizer=_FP32 * _STATES.get(plan.optimizer.kind, 2) * trainable,
        activations=plan.batch_size * counted.saved,
        working=2 * plan.batch_size * counted.largest,
    )


def _seconds(plan: TrainingPlan, forecasts: Sequence[Forecast]) -> float:
    pairs = zip(plan.phases, forecasts, strict=True)
    return sum(each.before_seconds + phase.epochs * each.epoch_seconds for phase, each in pairs)


def _pixels(plan: TrainingPlan, images: Images) -> int:
    """uint8, three channels; an image that is resized by its shorter side keeps its shape. Of texts: int32 tokens."""
    inputs = plan.preprocessing
    if isinstance(inputs, Tokenization):
        return images.total * _TOKEN * inputs.max_length
    side = inputs.resize_size
    stretch = images.stretch if inputs.fit == "crop" else SQUARE
    return round(images.total * 3 * side * side * stretch)


def _features(plan: TrainingPlan, images: Images) -> int:
    """Of every boundary once, whichever phases begin there."""
    kept = {
        phase.prefix.boundary: phase.prefix.cost.bytes_per_image
        * (phase.prefix.views * images.num_train + images.num_val)
        for phase in plan.phases
        if phase.prefix.kept and phase.prefix.cost is not None
    }
    return sum(kept.values())
