"""The optimizer of a phase, and what it remembers of the one before."""

import torch

from ftcli.engine.optimize import build_optimizer, moments, restore_moments, set_lr
from tests.engine.test_freeze import network_and_plan, one_step


def stepped(network, phase, spec):
    optimizer = build_optimizer(network.model, phase, spec)
    one_step(network, phase)
    optimizer.step()
    return optimizer


def test_groups_are_the_plan_s():
    decay = {"kind": "layer_decay", "decay": 0.5}
    network, plan = network_and_plan("timm/test_resnet", strategy="full", layer_lr=decay)
    optimizer = build_optimizer(network.model, plan.phases[0], plan.optimizer)
    named = dict(network.model.named_parameters())
    seen = set()
    for group, planned in zip(optimizer.param_groups, plan.phases[0].groups, strict=True):
        assert group["lr"] == plan.optimizer.lr * planned.lr_scale
        assert group["weight_decay"] == planned.weight_decay
        assert [id(p) for p in group["params"]] == [id(named[name]) for name in planned.params]
        seen.update(planned.params)
    assert seen == set(named)


def test_frozen_weights_are_not_in_it():
    # transformers #21182: frozen parameters in the optimizer.
    network, plan = network_and_plan("timm/test_resnet", strategy="feature_extraction")
    optimizer = build_optimizer(network.model, plan.phases[0], plan.optimizer)
    assert sum(p.numel() for g in optimizer.param_groups for p in g["params"]) == network.layer_map.numel(
        plan.phases[0].mask.trainable
    )


def test_unfrozen_weights_get_a_group_of_their_own_stage():
    # luxonis-train #358 and lightning-flash: unfrozen weights in no group, or in the head's.
    network, plan = network_and_plan("timm/test_resnet", strategy="gradual", train={"epochs": 9})
    for phase in plan.phases:
        optimizer = build_optimizer(network.model, phase, plan.optimizer)
        in_groups = {name for group in optimizer.param_groups for name in group["names"]}
        assert in_groups == phase.mask.trainable


def test_moments_are_carried_over_by_name():
    # Lightning #6891, #8502: another number of groups after unfreezing.
    network, plan = network_and_plan("timm/test_resnet", strategy="gradual", train={"epochs": 9})
    before = stepped(network, plan.phases[0], plan.optimizer)
    kept = moments(before)
    after = build_optimizer(network.model, plan.phases[1], plan.optimizer)
    restore_moments(after, kept)
    carried = moments(after)
    assert carried.keys() == kept.keys() == plan.phases[0].mask.trainable
    for name, state in kept.items():
        for key, value in state.items():
            assert torch.equal(carried[name][key], value)
    assert sum(len(group["names"]) for group in after.param_groups) > len(kept)


def test_restored_moments_have_the_parameter_s_strides():
    # Fused kernels walk parameter and moments in the order of memory: other strides pair other numbers.
    network, plan = network_and_plan("timm/test_resnet", strategy="full")
    network.model.to(memory_format=torch.channels_last)
    optimizer = stepped(network, plan.phases[0], plan.optimizer)
    kept = {
        n: {k: t.contiguous().clone() for k, t in state.items()} for n, state in moments(optimizer).items()
    }
    again = build_optimizer(network.model, plan.phases[0], plan.optimizer)
    restore_moments(again, kept)
    for parameter, state in again.state.items():
        assert state["exp_avg"].stride() == parameter.stride()


def test_restored_moments_are_on_the_parameter_s_device():
    # A file's tensors are on the CPU; a fused kernel looks for all of them, the count of steps too, on the parameter's.
    network, plan = network_and_plan("timm/test_resnet", strategy="full")
    kept = moments(stepped(network, plan.phases[0], plan.optimizer))
    network.model.to("meta")
    again = build_optimizer(network.model, plan.phases[0], plan.optimizer)
    restore_moments(again, kept)
    found = moments(again)
    assert found.keys() == kept.keys()
    assert {tensor.device.type for state in found.values() for tensor in state.values()} == {"meta"}


def test_restored_moments_are_copies():
    network, plan = network_and_plan("timm/test_resnet", strategy="feature_extraction")
    optimizer = stepped(network, plan.phases[0], plan.optimizer)
    kept = {n: {k: t.clone() for k, t in state.items()} for n, state in moments(optimizer).items()}
    restore_moments(optimizer, kept)
    optimizer.step()
    assert all(state["step"] == 1 for state in kept.values())
    assert all(state["step"] == 2 for state in moments(optimizer).values())


def test_lr_is_peak_times_factor():
    network, plan = network_and_plan("timm/test_resnet", strategy="full")
    optimizer = build_optimizer(network.model, plan.phases[0], plan.optimizer)
    set_lr(optimizer, 0.5)
    set_lr(optimizer, 0.25)
    for group in optimizer.param_groups:
        assert group["lr"] == group["peak_lr"] * 0.25
