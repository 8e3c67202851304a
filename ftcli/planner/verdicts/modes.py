"""Is a frozen layer a fixed function? BatchNorm statistics, gamma and beta, and dropout are what moves unseen."""

from __future__ import annotations

from collections.abc import Iterator

from ftcli.findings import Finding
from ftcli.planner.verdicts.frozen import frozen_layers
from ftcli.planner.verdicts.words import stages_of
from ftcli.plans.freeze_facts import FreezeFacts, NormFacts


def statistics_drift(facts: FreezeFacts) -> Iterator[Finding]:
    """requires_grad does not stop running statistics: they are buffers, and train mode moves them."""
    found = [norm for norm in _frozen_norms(facts) if norm.updates_stats and not norm.trains_affine]
    if found:
        yield Finding(
            "error",
            _stages(facts, found),
            f"frozen, with {_count(found)} in train mode: running mean and variance drift with every batch",
            "put them into eval mode after every model.train() (override train(), or call .eval() on them)",
            "frozen-bn-drifts",
        )


def statistics_will_drift(facts: FreezeFacts) -> Iterator[Finding]:
    found = [norm for norm in _frozen_norms(facts) if norm.train_call_resets and not norm.updates_stats]
    if found:
        yield Finding(
            "warning",
            _stages(facts, found),
            f"frozen, with {_count(found)} in eval mode until the next model.train() puts them back into train mode",
            "override train() so that they stay in eval mode, or call .eval() on them after each model.train()",
            "frozen-bn-will-drift",
        )


def affine_trains(facts: FreezeFacts) -> Iterator[Finding]:
    """Where gamma and beta of every norm train, it is a way to fine-tune, and told as that."""
    found = [norm for norm in _frozen_norms(facts) if norm.trains_affine]
    everywhere = all(norm.trains_affine for norm in facts.batch_norms)
    if found:
        yield Finding(
            "info" if everywhere else "warning",
            _stages(facts, found),
            f"the weights are frozen, and gamma and beta of {_count(found)} train: the layer is not fixed",
            "set requires_grad of the BatchNorms' weight and bias to False as well, unless that is meant",
            "affine-in-frozen-stage",
        )


def dropout_below(facts: FreezeFacts) -> Iterator[Finding]:
    """Noise in a frozen prefix: its features differ from what they will be in use, and cannot be cached."""
    frozen = frozen_layers(facts)
    trained = [layer.index for layer in facts.layers if layer.index not in frozen]
    first = min(trained, default=len(facts.layers))
    found = [drop for drop in facts.dropouts if drop.active and drop.layer in frozen and drop.layer < first]
    if found:
        yield Finding(
            "info",
            stages_of(facts, (drop.stage for drop in found)),
            f"frozen, with {len(found)} {'dropout' if len(found) == 1 else 'dropouts'} active: its features are "
            "noisier than they will be in use",
            "put the frozen part into eval mode, unless the noise is meant to regularise what is above",
            "dropout-in-frozen-stage",
        )


def _frozen_norms(facts: FreezeFacts) -> list[NormFacts]:
    frozen = frozen_layers(facts)
    return [norm for norm in facts.batch_norms if norm.layer in frozen]


def _stages(facts: FreezeFacts, norms: list[NormFacts]) -> str:
    return stages_of(facts, (norm.stage for norm in norms))


def _count(norms: list[NormFacts]) -> str:
    return f"{len(norms)} BatchNorm {'layer' if len(norms) == 1 else 'layers'}"


RULES = (statistics_drift, statistics_will_drift, affine_trains, dropout_below)
