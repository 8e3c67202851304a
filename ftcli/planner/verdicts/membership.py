"""Does the optimizer hold exactly what trains, each tensor once?"""

from __future__ import annotations

from collections.abc import Iterator

from ftcli.findings import Finding
from ftcli.planner.verdicts.words import some, stages_of, tensors
from ftcli.plans.freeze_facts import FreezeFacts, ParameterFacts


def nothing_trains(facts: FreezeFacts) -> Iterator[Finding]:
    if facts.parameters and not any(p.trains for p in facts.parameters):
        yield Finding(
            "error" if facts.optimizer else "info",
            "the whole model",
            "nothing trains: requires_grad is False everywhere",
            "set requires_grad of the head, and of what else should train, unless the model is only in use",
            "nothing-trains",
        )


def in_no_group(facts: FreezeFacts) -> Iterator[Finding]:
    """Unfrozen, but never given to the optimizer: it stays as it is for ever."""
    found = [p for p in facts.parameters if p.trains and not p.groups]
    if facts.optimizer and found:
        yield Finding(
            "error",
            _stages(facts, found),
            f"{tensors(found)} require gradients and are in no group of the optimizer: they never move",
            "add them with optimizer.add_param_group(...), or build the optimizer after unfreezing",
            "not-in-optimizer",
        )


def frozen_in_group(facts: FreezeFacts) -> Iterator[Finding]:
    """Frozen, but still in the optimizer: with a gradient left over it moves all the same."""
    found = [p for p in facts.parameters if p.groups and not p.trains]
    moving = [p for p in found if p.has_gradient]
    if moving:
        yield Finding(
            "error",
            _stages(facts, moving),
            f"{tensors(moving)} are frozen, yet in the optimizer with a gradient left over: the next step moves them",
            "set .grad = None where you freeze, and build the optimizer from what trains",
            "frozen-in-optimizer",
        )
    elif found:
        yield Finding(
            "warning",
            _stages(facts, found),
            f"{tensors(found)} are frozen, yet in a group of the optimizer: a gradient left over, even one of "
            "zeros under momentum or weight decay, would move them",
            "build the optimizer from what trains: [p for p in model.parameters() if p.requires_grad]",
            "frozen-in-optimizer",
        )


def in_two_groups(facts: FreezeFacts) -> Iterator[Finding]:
    """Of one optimizer. Several optimizers may take turns on purpose."""
    found = [p for p in facts.parameters if len(p.groups) > 1]
    owners = facts.optimizer_of_group
    twice = [p for p in found if len({owners[g] for g in p.groups} if owners else {0}) < len(p.groups)]
    if found:
        groups = ", ".join(str(group) for group in sorted({group for p in found for group in p.groups}))
        yield Finding(
            "error" if twice else "warning",
            _stages(facts, found),
            f"{tensors(found)} are in several optimizer groups ({groups}): they are moved by each",
            "let every parameter be in one group, unless optimizers take turns on purpose",
            "in-two-groups",
        )


def not_of_the_model(facts: FreezeFacts) -> Iterator[Finding]:
    """The optimizer was built before the head was replaced: it trains a head that is no longer there."""
    if facts.strangers:
        yield Finding(
            "error",
            "optimizer",
            f"it holds what is not in the model: {some(facts.strangers)}",
            "build the optimizer after the last change of the model (a new head, .to(), compile)",
            "not-in-model",
        )


def tied_apart(facts: FreezeFacts) -> Iterator[Finding]:
    """Two parameters over the same memory, treated differently: what moves one moves the other."""
    by_name = {p.name: p for p in facts.parameters}
    for names in facts.shared:
        tied = [by_name[name] for name in names]
        if len({(p.trains, p.groups, p.lr) for p in tied}) > 1:
            yield Finding(
                "error",
                _stages(facts, tied),
                f"{some(names)} share their memory, and are treated differently: training one moves the other",
                "tie them as one Parameter, or give both the same requires_grad and the same group",
                "tied-apart",
            )


def _stages(facts: FreezeFacts, found: list[ParameterFacts]) -> str:
    return stages_of(facts, (p.stage for p in found))


RULES = (nothing_trains, in_no_group, frozen_in_group, in_two_groups, not_of_the_model, tied_apart)
