"""Modes and requires_grad on real networks of every kind, phase by phase."""

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ftcli.components.head import Linear
from ftcli.engine.build import build_network, with_group_norm
from ftcli.engine.freeze import apply_mask, enter_eval_mode, enter_train_mode
from ftcli.planner.compile import compile_plan
from ftcli.plans.data_facts import DataFacts
from ftcli.plans.training_plan import Machine
from ftcli.recipe.schema import Recipe

CLASSES = ("a", "b", "c")


def network_and_plan(backbone, **sections):
    content = {"data": "digits", "model": {"backbone": backbone, "weights": "none"}, **sections}
    recipe = Recipe.model_validate(content)
    network = build_network(backbone, "none", recipe.model.head, len(CLASSES), image_size=64, seed=0)
    if recipe.norm.kind == "group_norm":
        network = with_group_norm(network)
    facts = DataFacts(CLASSES, 1000, network.preprocessing)
    return network, compile_plan(recipe, network.layer_map, facts, Machine("cpu"))


def one_step(network, phase):
    """A training step of the phase; returns the state before it."""
    before = {name: tensor.clone() for name, tensor in network.model.state_dict().items()}
    apply_mask(network.model, phase.mask)
    enter_train_mode(network, phase)
    trained = [p for p in network.model.parameters() if p.requires_grad]
    loss = network.model(torch.randn(4, 3, 64, 64)).square().mean()
    loss.backward()
    torch.optim.SGD(trained, lr=0.1).step()
    return before


BACKBONES = ["timm/test_resnet", "timm/test_efficientnet", "timm/test_vit", "torchvision/mobilenet_v3_small"]
NORMS = ["train", "freeze_stats", "freeze", "freeze_affine", "group_norm"]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_step_moves_what_the_phase_trains_and_nothing_else(backbone, norm):
    torch.manual_seed(0)
    network, plan = network_and_plan(backbone, strategy={"kind": "partial"}, norm=norm)
    (phase,) = plan.phases
    before = one_step(network, phase)
    after = network.model.state_dict()
    moved = {name for name in after if not torch.equal(before[name], after[name])}
    assert moved.isdisjoint(phase.frozen_tensors)
    updating = {bn.name for bn in phase.batch_norms if bn.updates_stats}
    assert {name.rpartition(".")[0] for name in moved if "running_" in name} == updating
    assert moved & phase.mask.trainable, "nothing that should train has moved"


def test_running_statistics_drift_when_frozen_by_requires_grad_alone():
    # The classic bug, in plain PyTorch: what our phases must not do.
    network, _ = network_and_plan("timm/test_resnet", strategy="feature_extraction")
    for parameter in network.model.parameters():
        parameter.requires_grad_(False)
    before = network.model.get_buffer("bn1.running_mean").clone()
    network.model.train()
    network.model(torch.randn(4, 3, 64, 64))
    assert not torch.equal(before, network.model.get_buffer("bn1.running_mean"))


def test_the_policy_holds_again_after_every_train():
    network, plan = network_and_plan("timm/test_resnet", strategy="full", norm="freeze_stats")
    for _ in range(2):
        network.model.train()
        enter_train_mode(network, plan.phases[0])
        norms = [m for m in network.model.modules() if isinstance(m, _BatchNorm)]
        assert norms
        assert not any(norm.training for norm in norms)
        enter_eval_mode(network)
        assert not network.model.training


def test_dropout_is_off_in_frozen_layers_and_on_where_it_trains():
    head = {"kind": "mlp", "hidden": [8], "dropout": 0.5}
    network, plan = network_and_plan(
        "torchvision/efficientnet_b0",
        strategy="feature_extraction",
        model={"backbone": "torchvision/efficientnet_b0", "weights": "none", "head": head},
    )
    enter_train_mode(network, plan.phases[0])
    training = {name for name, module in network.model.named_modules() if module.training}
    assert "classifier.0" in training, "the dropout before the head is the head's"
    assert any(isinstance(network.model.get_submodule(name), nn.Dropout) for name in training)
    assert not any(name.startswith("features.") for name in training)


def test_attention_dropout_follows_its_block():
    # Attention applies its dropout by its own training flag, which is a container's.
    network, plan = network_and_plan("timm/test_vit", strategy={"kind": "partial"})
    enter_train_mode(network, plan.phases[0])
    blocks = dict(network.model.blocks.named_children())
    modes = [block.attn.training for block in blocks.values()]
    assert modes == [False] * (len(modes) - 1) + [True]


def kept_biases(network):
    return [
        dict(m.attention_bias_cache) for m in network.model.modules() if hasattr(m, "attention_bias_cache")
    ]


def test_nothing_is_kept_of_earlier_weights():
    """LeViT and its kin keep their attention biases for evaluation, and forget them in `train()` alone."""
    network = build_network("timm/levit_128s", "none", Linear(), 3, image_size=224, seed=0)
    enter_eval_mode(network)
    with torch.no_grad():
        network.model(torch.randn(1, 3, 224, 224))
    assert all(kept_biases(network))
    enter_eval_mode(network)
    assert not any(kept_biases(network))
