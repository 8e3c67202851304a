"""What a plan says of a phase is what the inspector finds in the network and the optimizer that perform it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ftcli.engine.any_model import MappedModel
from ftcli.engine.freeze import apply_mask, enter_train_mode
from ftcli.engine.live_facts import live_facts
from ftcli.engine.network import Network
from ftcli.engine.optimize import build_optimizer
from ftcli.planner.compile import compile_plan
from ftcli.planner.verdicts import verdicts
from ftcli.plans.data_facts import DataFacts
from ftcli.plans.freeze_facts import FreezeFacts, plan_facts
from ftcli.plans.training_plan import TrainingPlan
from ftcli.workflows.open_network import open_network
from ftcli.workflows.prepare import machine_for
from tests.toys import EFFICIENTNET, RESNET, VIT, recipe

STRATEGIES: dict[str, Any] = {
    "feature_extraction": "feature_extraction",
    "partial": {"kind": "partial", "last_stages": 1},
    "partial by name": {"kind": "partial", "train": ["*.bn1.*"]},
    "full": "full",
    "gradual": "gradual",
    "lp_ft": "lp_ft",
    "scratch": "scratch",
}
NORMS = ("train", "freeze_stats", "freeze", "freeze_affine", "group_norm")


def compiled(tmp_path, **sections: Any) -> tuple[Network, TrainingPlan]:  # type: ignore[no-untyped-def]
    made = recipe(tmp_path, train={"epochs": 12, "batch_size": 8}, **sections)
    network = open_network(made, 3)
    facts = DataFacts(("a", "b", "c"), 100, network.preprocessing)
    return network, compile_plan(made, network.layer_map, facts, machine_for(made))


def comparable(facts: FreezeFacts) -> tuple[Any, ...]:
    """All that both can know. BatchNorm in eval mode is put there again after every `train()`: the engine does."""
    parameters = {replace(p, has_gradient=False, stuck_share=None, later_lr=None) for p in facts.parameters}
    norms = {replace(norm, train_call_resets=False) for norm in facts.batch_norms}
    return (
        facts.layers,
        parameters,
        norms,
        facts.num_groups,
        facts.strangers,
        facts.shared,
        facts.head_outputs,
    )


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_phase(strategy: str, norm: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    network, plan = compiled(tmp_path, strategy=STRATEGIES[strategy], norm=norm)
    mapped = MappedModel(network.model, "", network.layer_map, network.module_layers)
    for phase, planned in zip(plan.phases, plan_facts(plan), strict=True):
        apply_mask(network.model, phase.mask)
        enter_train_mode(network, phase)
        optimizer = build_optimizer(network.model, phase, plan.optimizer)
        found = live_facts(network.model, (optimizer,), mapped)
        assert comparable(found) == comparable(planned)
        assert not any(drop.active for drop in found.dropouts if drop.layer not in phase.train_layers)
        wrong = [finding for finding in verdicts(found) if finding.severity == "error"]
        assert not wrong, "the engine's own work is clean"


@pytest.mark.parametrize("backbone", [EFFICIENTNET, VIT, RESNET])
def test_other_families(backbone: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    network, plan = compiled(tmp_path, model={"backbone": backbone, "weights": "none"}, strategy="gradual")
    mapped = MappedModel(network.model, "", network.layer_map, network.module_layers)
    for phase, planned in zip(plan.phases, plan_facts(plan), strict=True):
        apply_mask(network.model, phase.mask)
        enter_train_mode(network, phase)
        found = live_facts(network.model, (build_optimizer(network.model, phase, plan.optimizer),), mapped)
        assert comparable(found) == comparable(planned)
