"""Is there a new head, does it train, and is freezing from the input up?"""

from __future__ import annotations

from collections.abc import Iterator

from ftcli.findings import Finding
from ftcli.planner.verdicts.frozen import frozen_layers, layers_with_weights, untouched_layers
from ftcli.planner.verdicts.words import some, stages_of
from ftcli.plans.freeze_facts import FreezeFacts
from ftcli.plans.layer_map import HEAD

PUBLISHED_OUTPUTS = {
    1000: "ImageNet-1k",
    11221: "ImageNet-21k-P",
    11821: "ImageNet-12k",
    21841: "ImageNet-22k",
    21843: "ImageNet-21k",
}
"""Outputs of the classifiers that pretrained networks come with."""


def still_pretrained(facts: FreezeFacts) -> Iterator[Finding]:
    """A plan's head is always a new one, so only a living model that trains is suspect."""
    data = PUBLISHED_OUTPUTS.get(facts.head_outputs or 0)
    if data and facts.epochs is None and facts.optimizer:
        yield Finding(
            "warning",
            HEAD,
            f"it has {facts.head_outputs:,} outputs, as the pretrained classifiers of {data} have",
            "replace it by a new layer for your own classes",
            "head-still-pretrained",
        )


def head_frozen(facts: FreezeFacts) -> Iterator[Finding]:
    """A warning where the layer right below it trains; elsewhere it may be a branch that is at rest (a teacher)."""
    others = {p.layer for p in facts.parameters if p.trains and p.stage != HEAD}
    if others and facts.head and not any(p.trains for p in facts.head):
        last = max((p.layer for p in facts.parameters if p.stage != HEAD), default=-1)
        tied = f" (it is {facts.tied_to_head[0]})" if facts.tied_to_head else ""
        one_optimizer = len(set(facts.optimizer_of_group)) < 2
        yield Finding(
            "warning" if one_optimizer and (last in others or facts.tied_to_head) else "info",
            HEAD,
            f"it is frozen{tied}, while layers below it train",
            "set requires_grad of the head",
            "head-frozen",
        )


def frozen_above(facts: FreezeFacts) -> Iterator[Finding]:
    """Freezing goes from the input up: a frozen layer above one that trains is often a pattern that matched too much.

    `model.1` as a prefix also matches model.10 to model.19; "freeze 10" may freeze the tenth layer alone. Frozen
    layers between trained ones are a warning; at the end they may be a branch that is at rest (a teacher).
    """
    head = {layer.index for layer in facts.layers if layer.stage == HEAD}
    frozen = untouched_layers(facts) - head
    trained = layers_with_weights(facts) - frozen_layers(facts) - head
    found = [
        layer
        for layer in facts.layers
        if layer.index in frozen and layer.index > min(trained, default=len(facts.layers))
    ]
    if found:
        lowest = next(layer.name for layer in facts.layers if layer.index in trained)
        between = min(layer.index for layer in found) < max(trained)
        yield Finding(
            "warning" if between else "info",
            stages_of(facts, (layer.stage for layer in found)),
            f"{some([layer.name for layer in found])} frozen above {lowest}, which trains",
            "freeze from the input up; where a name selects the layers, match it up to its dot",
            "frozen-above-trained",
        )


RULES = (still_pretrained, head_frozen, frozen_above)
