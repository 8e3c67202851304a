"""Which layers are frozen: those of whose weights next to nothing trains, whatever their norms do."""

from __future__ import annotations

from collections.abc import Iterable

from ftcli.plans.freeze_facts import FROZEN_SHARE, FreezeFacts, ParameterFacts


def frozen_layers(facts: FreezeFacts) -> frozenset[int]:
    """Layers of whose weights next to nothing trains. A layer of norms alone is as frozen as its stage's weights."""
    return frozenset(
        layer.index
        for layer in facts.layers
        if facts.by_layer[layer.index]
        and share_trained(_own(facts.by_layer[layer.index]) or _own(facts.by_stage[layer.stage]))
        < FROZEN_SHARE
    )


def untouched_layers(facts: FreezeFacts) -> frozenset[int]:
    """Layers with weights of which none trains, not even an adapter's."""
    return frozenset(
        index
        for index in layers_with_weights(facts)
        if not any(p.trains for p in _weights(facts.by_layer[index]))
    )


def layers_with_weights(facts: FreezeFacts) -> frozenset[int]:
    return frozenset(layer.index for layer in facts.layers if _weights(facts.by_layer[layer.index]))


def share_trained(parameters: Iterable[ParameterFacts]) -> float:
    """Of the values, 0 to 1; 0 of nothing."""
    listed = list(parameters)
    values = sum(p.numel for p in listed)
    return sum(p.numel for p in listed if p.trains) / values if values else 0.0


def _own(parameters: Iterable[ParameterFacts]) -> list[ParameterFacts]:
    return [p for p in _weights(parameters) if not p.is_adapter]


def _weights(parameters: Iterable[ParameterFacts]) -> list[ParameterFacts]:
    return [p for p in parameters if not p.is_norm]
