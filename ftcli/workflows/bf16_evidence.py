"""What bf16 does to the network of a recipe, where it is left to us whether to take it."""

from __future__ import annotations

from ftcli.engine.cache.effects import kept_effect, key_of
from ftcli.engine.inputs import ExampleStore, evaluated
from ftcli.engine.network import Network
from ftcli.engine.precision import effect_of_bf16
from ftcli.findings import Finding
from ftcli.plans.data_splits import TRAIN
from ftcli.plans.training_plan import Bf16Effect, Machine, Precision
from ftcli.recipe.schema import Recipe
from ftcli.workflows.cache import open_store

EVIDENCE_IMAGES = 32
"""On so many images bf16 is compared with fp32: features are in the thousands, so that more would say the same."""


def bf16_evidence(
    recipe: Recipe, machine: Machine, network: Network, store: ExampleStore
) -> Bf16Effect | None:
    """What bf16 does on training examples from all over the stream, as evaluation sees them; None where nobody asks.
    Measured once for these examples and this network.

    An image that cannot be read is passed over: reading all of them, soon, tells of each.
    """
    if recipe.train.precision != "auto" or not machine.bf16 or recipe.runtime.exact:
        return None
    stream = store.splits.streams[TRAIN]
    batch = evaluated(store, stream[:: max(len(stream) // EVIDENCE_IMAGES, 1)][:EVIDENCE_IMAGES])
    if batch is None:
        return None
    at_once = recipe.train.batch_size

    def measure() -> Bf16Effect:
        return effect_of_bf16(network, batch, machine.device, at_once)

    if open_store(recipe) is None:
        return measure()
    return kept_effect(key_of(network, batch, machine.device, at_once), measure)


def not_finite(evidence: Bf16Effect | Precision | None) -> tuple[Finding, ...]:
    if not isinstance(evidence, Bf16Effect) or evidence.finite or not evidence.finite_in_fp32:
        return ()
    message = "in bf16 some features become infinity or NaN, and in fp32 they do not: the run is in fp32"
    remedy = "nothing to do; do not ask for bf16 with this network"
    return (Finding("info", "train.precision", message, remedy, "low-precision-overflows"),)
