"""Which layers are frozen: those whose weights do not train, whatever their norms do."""

from __future__ import annotations

from collections.abc import Iterable

from ftcli.plans.freeze_facts import FreezeFacts, ParameterFacts


def frozen_layers(facts: FreezeFacts) -> frozenset[int]:
    """Layers in which no weight trains. A layer of norms alone is as frozen as the weights of its stage."""
    return frozenset(
        layer.index
        for layer in facts.layers
        if not _any_trains(_weights(facts.by_layer[layer.index]) or _weights(facts.by_stage[layer.stage]))
        and facts.by_layer[layer.index]
    )


def layers_with_weights(facts: FreezeFacts) -> frozenset[int]:
    return frozenset(layer.index for layer in facts.layers if _weights(facts.by_layer[layer.index]))


def _weights(parameters: Iterable[ParameterFacts]) -> list[ParameterFacts]:
    return [p for p in parameters if not p.is_norm]


def _any_trains(parameters: Iterable[ParameterFacts]) -> bool:
    return any(p.trains for p in parameters)
