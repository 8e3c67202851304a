"""How long the phases of a plan will take, from one timed forward pass and the shares of work that were counted."""

from __future__ import annotations

import time

import torch

from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.inputs import blank, placed, ready
from ftcli.engine.network import Network
from ftcli.engine.precision import autocast
from ftcli.plans.forecast import Forecast
from ftcli.plans.phase import Phase, ever_lower
from ftcli.plans.training_plan import TrainingPlan

_IMAGES = 8
_STEP = 3.0
"""A training step against a forward pass: the backward pass computes two products for each one of the forward's."""


def forecast(
    plan: TrainingPlan, network: Network, num_val: int, *, shared: bool = False
) -> tuple[Forecast, ...]:
    """One for each phase; reading and augmenting images is left out.

    `shared`: what phases keep of the same images is made with that of the first of them, as on the disk.
    """
    seconds = _forward_seconds(plan, network)
    made = _made_before(plan) if shared else frozenset[str]()
    return tuple(_of_phase(plan, phase, seconds, num_val, made=phase.name in made) for phase in plan.phases)


def _made_before(plan: TrainingPlan) -> frozenset[str]:
    """The phases, by name, whose frozen part an earlier one has gone through with the same views."""
    keeping = list(ever_lower(plan.phases))
    return frozenset(each.name for each in keeping[1:] if each.prefix.views == keeping[0].prefix.views)


def _of_phase(
    plan: TrainingPlan, phase: Phase, seconds: float, num_val: int, *, made: bool = False
) -> Forecast:
    below = phase.prefix.cost.share if phase.prefix.cost is not None else 0.0
    again = 0.0 if phase.prefix.kept else below
    each = seconds * (again + _STEP * (1 - below))
    evaluated = seconds * (again + 1 - below)
    views = 0 if made else phase.prefix.views
    once = seconds * below * (views * plan.num_train + num_val) if views else 0.0
    return Forecast(phase.name, 1 / max(each, 1e-9), each * plan.num_train + evaluated * num_val, once)


@torch.no_grad()
def _forward_seconds(plan: TrainingPlan, network: Network) -> float:
    """For an image, in a batch of a few, after one pass to warm up."""
    enter_eval_mode(network)
    count, inputs = min(_IMAGES, plan.batch_size), plan.preprocessing
    batch = placed(blank(inputs, count), inputs, plan.machine.device)
    took = 0.0
    for _ in range(2):
        started = time.perf_counter()
        with autocast(plan.precision, plan.machine.device):
            network.model(ready(batch, inputs)).sum().item()
        took = time.perf_counter() - started
    return took / count
