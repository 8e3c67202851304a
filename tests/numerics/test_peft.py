"""Runs with adapters: the base keeps its bits, a run goes on where it was cut off, a frozen bottom is computed once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ftcli.engine.any_model import MappedModel
from ftcli.engine.freeze import apply_mask, enter_train_mode
from ftcli.engine.live_facts import live_facts
from ftcli.engine.optimize import build_optimizer
from ftcli.errors import RecipeError
from ftcli.planner.verdicts import verdicts
from ftcli.plans.freeze_facts import plan_facts
from ftcli.recipe.schema import Recipe
from ftcli.workflows.open_network import open_network
from ftcli.workflows.prepare import prepare
from tests.numerics.runs import Stop, metrics, run, same_bits, stop_after
from tests.numerics.test_plan_is_what_happens import comparable, compiled
from tests.toys import RESNET, VIT, recipe, write_digits

pytest.importorskip("peft")

STRATEGIES: dict[str, Any] = {
    "lora": {"kind": "lora", "rank": 4, "dropout": 0.2},
    "ia3": "ia3",
    "dora": {"kind": "lora", "rank": 2, "dora": True, "from_stage": "layer3"},
}


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_digits(tmp_path_factory.mktemp("digits"), per_class=15, classes=3)


def changed(made: Recipe, out: Path) -> set[str]:
    """Tensors that the run has moved, from those that its network was opened with."""
    before, after = open_network(made, 3).model.state_dict(), load_file(out / "best.safetensors")
    assert before.keys() == after.keys()
    return {name for name in after if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize(
    ("backbone", "strategy"), [(RESNET, "lora"), (RESNET, "dora"), (VIT, "lora"), (VIT, "ia3")]
)
def test_adapters_and_head_move_and_nothing_else(
    backbone: str, strategy: str, digits: Path, tmp_path: Path
) -> None:
    """The running statistics of a convolutional network neither, whatever share of a layer the adapters are."""
    made = recipe(digits, model={"backbone": backbone, "weights": "none"}, strategy=STRATEGIES[strategy])
    result = run(made, tmp_path / "run")
    layers = open_network(made, 3).layer_map
    meant = {p.name for p in layers.parameters if p.is_adapter or p.stage == "head"}
    moved = changed(made, tmp_path / "run")
    if backbone == VIT:
        assert moved == meant
    else:  # a ResNet of random weights ends its blocks in norms that are 0: no gradient comes below
        assert {name for name in meant if "downsample" in name or name.startswith("fc.")} <= moved <= meant
    assert result.frozen.changed == 0
    others = [name for name in load_file(tmp_path / "run" / "best.safetensors") if name not in meant]
    assert result.frozen.checked == len(others)


@pytest.mark.parametrize("strategy", ["lora", pytest.param("dora", marks=pytest.mark.slow)])
def test_resumed_equals_uninterrupted(strategy: str, digits: Path, tmp_path: Path) -> None:
    made = recipe(digits, strategy=STRATEGIES[strategy], train={"epochs": 3, "batch_size": 8})
    run(made, tmp_path / "whole")
    with pytest.raises(Stop):
        run(made, tmp_path / "cut", stop_after(2))
    assert len(list((tmp_path / "cut" / "checkpoints").glob("base-*"))) == 1
    run(made, tmp_path / "cut", resume=True)
    assert same_bits(tmp_path / "whole", tmp_path / "cut")
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "cut")


@pytest.mark.parametrize(
    ("backbone", "stage"), [(RESNET, "layer4"), pytest.param(VIT, "blocks.4", marks=pytest.mark.slow)]
)
def test_a_frozen_bottom_is_computed_once(backbone: str, stage: str, digits: Path, tmp_path: Path) -> None:
    data = {"kind": "folder", "path": str(digits), "image_size": 160 if backbone == VIT else 32}
    strategy = {"kind": "lora", "from_stage": stage}
    model = {"backbone": backbone, "weights": "none"}
    made = recipe(digits, model=model, strategy=strategy, data=data)
    (phase,) = prepare(made).plan.phases
    assert phase.prefix.kept
    result = run(made, tmp_path / "kept")
    assert result.reuse is not None
    off = made.cache.model_copy(update={"prefix": "off"})
    run(made.model_copy(update={"cache": off}), tmp_path / "anew")
    assert same_bits(tmp_path / "kept", tmp_path / "anew")
    assert metrics(tmp_path / "kept") == metrics(tmp_path / "anew")


@pytest.mark.parametrize("norm", ["train", "freeze_stats", "auto"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_plan_is_what_happens(strategy: str, norm: str, tmp_path: Path) -> None:
    network, plan = compiled(tmp_path, strategy=STRATEGIES[strategy], norm=norm)
    mapped = MappedModel(network.model, "", network.layer_map, network.module_layers)
    ((phase,), (planned,)) = plan.phases, plan_facts(plan)
    apply_mask(network.model, phase.mask)
    enter_train_mode(network, phase)
    found = live_facts(network.model, (build_optimizer(network.model, phase, plan.optimizer),), mapped)
    assert comparable(found) == comparable(planned)
    assert not any(norm.updates_stats for norm in found.batch_norms)
    assert {f.rule for f in verdicts(found) if f.severity != "info"} <= {
        "frozen-bn-will-drift"
    }  # the engine sees to it
    assert not [finding for finding in plan.findings if finding.severity != "info"]
    assert ("norm-without-effect" in {f.rule for f in plan.findings}) == (norm != "auto")
    assert any(d.what == "norm" and d.value == ("freeze" if norm == "auto" else norm) for d in plan.decisions)


def test_norms_are_not_exchanged(digits: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        prepare(recipe(digits, strategy="lora", norm="group_norm"))
    assert [problem.path for problem in caught.value.problems] == ["norm.kind"]
