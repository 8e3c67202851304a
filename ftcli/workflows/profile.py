"""A run's profile, with what its training computed beside what the machine can."""

from __future__ import annotations

from dataclasses import replace

from ftcli.engine.ceiling import matmul_flops
from ftcli.engine.prefix_cost import forward_flops
from ftcli.engine.stopwatch import running
from ftcli.engine.work import Work
from ftcli.plans.phase import Phase
from ftcli.plans.profile import Compute, Part, Profile


def profile_of(work: Work) -> Profile | None:
    """So far; None where nobody profiles. The machine is measured afterwards, which takes half a second."""
    watch = running()
    if watch is None:
        return None
    profile = watch.profile()
    try:
        return replace(profile, compute=_compute(work, profile))
    except (RuntimeError, MemoryError):  # too little memory to measure with: no reason to lose the run
        return profile


def _compute(work: Work, profile: Profile) -> Compute | None:
    """Of the phases, the floor left out."""
    by_path = {part.path: part for part in profile.parts}
    whole = forward_flops(work.network)
    flops = seconds = 0.0
    for phase in work.plan.phases:
        forward, backward = (by_path.get((f"phase {phase.name}", step)) for step in ("forward", "backward"))
        if forward is None or backward is None:
            continue
        passes = _passes(phase, kept=phase.name in work.from_kept)
        if passes is None:
            return None
        flops += forward.images * whole * passes
        seconds += _seconds(forward, backward)
    if not flops:
        return None
    precision = work.plan.precision
    return Compute(flops, seconds, matmul_flops(work.device, precision), precision)


def _passes(phase: Phase, *, kept: bool) -> float | None:
    """As how many forward passes of the whole network one image of a step counts; None where that is not known.

    Backward takes twice what forward does, for the gradients of inputs and of weights.
    """
    prefix = phase.prefix
    if prefix.boundary and prefix.cost is None:
        return None
    below = prefix.cost.share if prefix.cost else 0.0
    return 3 * (1 - below) + (0.0 if kept and prefix.kept else below)


def _seconds(*parts: Part) -> float:
    return sum(part.seconds for part in parts)
