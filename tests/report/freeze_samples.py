"""Facts of a small network, made by hand: a convolution, a BatchNorm, a block, a head; and what can be wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ftcli.plans.freeze_facts import FreezeFacts, NormFacts, ParameterFacts
from ftcli.plans.layer_map import Layer

LAYERS = (Layer(0, "conv", "stem"), Layer(1, "block", "body"), Layer(2, "fc", "head"))
LONG = "encoder.layers.encoder_layer_11.self_attention.relative_position_bias_table"


def parameter(name: str, layer: int, *shape: int, **facts: Any) -> ParameterFacts:
    """Frozen and in no group unless `facts` say otherwise."""
    given = {"trains": False, "groups": (), "lr": None, "weight_decay": None, "is_norm": False, **facts}
    return ParameterFacts(name, shape, layer, LAYERS[layer].stage, **given)


HELD = {"trains": True, "groups": (0,), "lr": 1e-3, "weight_decay": 0.01}


def small(**changed: Any) -> FreezeFacts:
    """The head trains in group 0 of an AdamW, everything else is frozen. 10 * 4 + 4 + 4 + 100 + 5 * 4 = 168."""
    facts = FreezeFacts(
        phase="now",
        layers=LAYERS,
        parameters=(
            parameter("conv.weight", 0, 10, 4),
            parameter("conv.bn.weight", 0, 4, is_norm=True),
            parameter("conv.bn.bias", 0, 4, is_norm=True),
            parameter("block.weight", 1, 10, 10),
            parameter("fc.weight", 2, 5, 4, **HELD),
        ),
        batch_norms=(NormFacts("conv.bn", 0, "stem", updates_stats=False, trains_affine=False),),
        optimizer="AdamW",
        num_groups=1,
    )
    return replace(facts, **changed)


def but(facts: FreezeFacts, of: str, /, **changed: Any) -> FreezeFacts:
    """One parameter of them changed."""
    return replace(
        facts,
        parameters=tuple(replace(p, **changed) if p.name == of else p for p in facts.parameters),
    )


def without_optimizer() -> FreezeFacts:
    facts = but(small(), "fc.weight", groups=(), lr=None, weight_decay=None)
    return replace(facts, optimizer=None, num_groups=0)


def with_long_names() -> FreezeFacts:
    """A parameter whose name takes nearly a line of 80."""
    return replace(but(small(), "block.weight", name=LONG, other_names=(f"{LONG}_too",)), epochs=(0, 3))


UNGAINLY: dict[str, FreezeFacts] = {
    "small": small(),
    "unheld": but(small(), "block.weight", trains=True),
    "held, frozen": but(small(), "block.weight", groups=(0,), lr=1e-3),
    "held twice": but(small(), "fc.weight", groups=(0, 3), dtype="bfloat16"),
    "many groups": but(small(), "fc.weight", groups=(0, 2, 5, 9, 1000)),
    "no optimizer": without_optimizer(),
    "long names": with_long_names(),
    "large": but(small(), "block.weight", shape=(70_000, 90_000), **{**HELD, "lr": 1.234e-10}),
}
