"""Does what trains move, and nothing faster than the head?"""

from __future__ import annotations

from collections.abc import Iterator
from math import isclose

from ftcli.findings import Finding
from ftcli.planner.verdicts.frozen import share_trained, untouched_layers
from ftcli.planner.verdicts.words import stages_of, tensors
from ftcli.plans.freeze_facts import FreezeFacts, ParameterFacts
from ftcli.plans.layer_map import HEAD

MOST_STUCK = 0.5
"""The share of a stage's values that a step may leave as they are before it counts as not training."""
MOSTLY = 0.5
FAST = {"SGD": 1e-2}
FAST_OTHERWISE = 1e-3
"""An LR for new layers, by optimizer: adaptive ones move every value by about the LR."""


def lr_zero(facts: FreezeFacts) -> Iterator[Finding]:
    found = [p for p in facts.parameters if p.trains and p.lr == 0]
    if not found:
        return
    where = stages_of(facts, (p.stage for p in found))
    later = {p.later_lr for p in found}
    if 0 not in later and None not in later:
        yield Finding(
            "info",
            where,
            "the LR is 0 at this moment of its schedule",
            "nothing to do when a warm-up begins at 0; look again after the first steps",
            "lr-zero",
        )
    else:
        yield Finding(
            "error", where, f"{tensors(found)} train with an LR of 0", "give their group an LR", "lr-zero"
        )


def too_small_for_dtype(facts: FreezeFacts) -> Iterator[Finding]:
    """A step below half the spacing of a dtype's numbers rounds to nothing (bfloat16 has 8 bits of precision)."""
    found = [(stage, share) for stage in facts.stages if (share := _stuck(facts, stage)) >= MOST_STUCK]
    if found:
        parameters = [p for stage, _ in found for p in facts.by_stage[stage] if p.stuck_share is not None]
        dtypes = ", ".join(dict.fromkeys(p.dtype for p in parameters))
        step = max(p.lr or 0 for p in parameters)
        yield Finding(
            "error",
            stages_of(facts, (stage for stage, _ in found)),
            f"a step of {step:g} leaves {min(share for _, share in found):.0%} of the values as they are: "
            f"it is lost to the rounding of {dtypes}",
            "keep the parameters in float32 (use autocast for speed), or raise the LR",
            "lr-too-small-for-dtype",
        )


def _stuck(facts: FreezeFacts, stage: str) -> float:
    known = [p for p in facts.by_stage[stage] if p.trains and p.lr and p.stuck_share is not None]
    values = sum(p.numel for p in known)
    return sum(p.numel * (p.stuck_share or 0.0) for p in known) / values if values else 0.0


def above_the_head(facts: FreezeFacts) -> Iterator[Finding]:
    head = _highest(facts, HEAD)
    if head is None:
        return
    rates = {stage: _highest(facts, stage) for stage in facts.stages if stage != HEAD}
    found = {
        stage: rate
        for stage, rate in rates.items()
        if rate is not None and rate > head and not isclose(rate, head)
    }
    if found:
        yield Finding(
            "warning",
            stages_of(facts, found),
            f"trains at an LR of {max(found.values()):g}, above the head's {head:g}",
            "pretrained layers need less than a new head: a tenth is usual",
            "lr-above-head",
        )


def at_the_heads_rate(facts: FreezeFacts) -> Iterator[Finding]:
    """Unfrozen into the head's group: pretrained layers at an LR meant for a new one.

    In a recipe the LR of each layer is asked for in so many words; a living model may have got it by accident. It
    looks like one where other layers are slower, or are kept frozen; a model from scratch has neither. Adapters and
    biases are no stage that trains.
    """
    head = _highest(facts, HEAD)
    if head is None or facts.epochs is not None or len(set(facts.optimizer_of_group)) > 1:
        return
    rates = {s: _highest(facts, s) for s in facts.stages if s != HEAD and _mostly_trains(facts, s)}
    found = [stage for stage, rate in rates.items() if rate is not None and isclose(rate, head)]
    slower = any(rate is not None and rate < head and not isclose(rate, head) for rate in rates.values())
    if found and (slower or head >= FAST.get(facts.optimizer or "", FAST_OTHERWISE)):
        yield Finding(
            "warning" if slower or untouched_layers(facts) else "info",
            stages_of(facts, found),
            f"trains at the head's LR of {head:g}: if these layers are pretrained, it can destroy what they know",
            "give the backbone a group of its own, at a tenth of the head's LR",
            "backbone-at-head-lr",
        )


def _mostly_trains(facts: FreezeFacts, stage: str) -> bool:
    return share_trained(facts.by_stage[stage]) >= MOSTLY


def decay_on_vectors(facts: FreezeFacts) -> Iterator[Finding]:
    found = [p for p in facts.parameters if p.trains and p.weight_decay and not p.decays]
    if found:
        highest = max(p.weight_decay or 0 for p in found)
        yield Finding(
            "info",
            stages_of(facts, (p.stage for p in found)),
            f"weight decay {highest:g} on norms, biases or other vectors: {tensors(found)}",
            "put them into a group with weight_decay 0",
            "decay-on-norms-or-biases",
        )


def _highest(facts: FreezeFacts, stage: str) -> float | None:
    parameters = facts.head if stage == HEAD else facts.by_stage[stage]
    return max(_rates(parameters), default=None)


def _rates(parameters: tuple[ParameterFacts, ...]) -> list[float]:
    return [p.lr for p in parameters if p.trains and p.lr is not None]


RULES = (lr_zero, too_small_for_dtype, above_the_head, at_the_heads_rate, decay_on_vectors)
