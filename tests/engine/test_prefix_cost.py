"""What a part of a network costs, counted; and what a phase is expected to take."""

from dataclasses import replace

import pytest

from ftcli.components.head import Linear
from ftcli.engine.build import build_network
from ftcli.engine.forecast import _of_phase, forecast
from ftcli.engine.prefix_cost import forward_flops, prefix_costs
from ftcli.plans.prefix import FrozenPrefix, PrefixCost
from tests.planner.test_compile import plan


def opened(*, meta=False):
    return build_network("torchvision/resnet18", "none", Linear(), 3, image_size=64, seed=0, meta=meta)


def boundaries(network):
    layers = network.layer_map.layers
    return [
        next(layer.index for layer in layers if layer.stage == stage)
        for stage in ("layer2", "layer4", "head")
    ]


def test_deeper_parts_are_more_of_the_work_and_give_what_crosses():
    network = opened()
    low, high, head = boundaries(network)
    costs = prefix_costs(network, [low, high, head])
    assert 0 < costs[low].share < costs[high].share < costs[head].share < 1
    assert costs[head].share > 0.99
    assert costs[head].bytes_per_image == 512 * 4
    assert costs[high].bytes_per_image == 256 * 4 * 4 * 4  # channels, 64 / 16 squared, fp32


def test_they_are_counted_without_weights_too():
    network = opened()
    assert prefix_costs(opened(meta=True), boundaries(network)) == prefix_costs(network, boundaries(network))


def test_modes_stay_as_they_were():
    network = opened()
    network.model.train()
    network.model.layer1.eval()
    before = [module.training for module in network.model.modules()]
    prefix_costs(network, boundaries(network))
    assert [module.training for module in network.model.modules()] == before


@pytest.mark.parametrize(
    ("views", "epoch", "before"),
    [
        (0, 0.01 * ((0.75 + 3 * 0.25) * 100 + 20), 0.0),  # all of it anew, and the rest three times over
        (4, 0.01 * (3 * 0.25 * 100 + 0.25 * 20), 0.01 * 0.75 * (4 * 100 + 20)),
    ],
)
def test_an_epoch_is_what_is_left_of_it(views, epoch, before):
    made = plan(num_train=100, strategy="feature_extraction", augment="none")
    prefix = FrozenPrefix(5, views, "", PrefixCost(0.75, 2048))
    told = _of_phase(made, replace(made.phases[0], prefix=prefix), 0.01, 20)
    assert told.epoch_seconds == pytest.approx(epoch)
    assert told.before_seconds == pytest.approx(before)


def test_what_phases_keep_of_the_same_images_is_made_with_the_first():
    made = plan(num_train=100, strategy={"kind": "gradual"}, augment="none", train={"epochs": 6})
    costs = {phase.name: PrefixCost(phase.prefix.boundary / 10, 2048) for phase in made.phases}
    phases = tuple(replace(each, prefix=replace(each.prefix, cost=costs[each.name])) for each in made.phases)
    made = replace(made, phases=phases)
    apart, shared = (forecast(made, opened(), 20, shared=shared) for shared in (False, True))
    kept = [phase.prefix.kept for phase in phases]
    assert sum(kept) > 2
    assert [each.before_seconds > 0 for each in apart] == kept
    assert [each.before_seconds > 0 for each in shared] == [True] + [False] * (len(kept) - 1)
    light = replace(phases[1], prefix=replace(phases[1].prefix, views=4))
    varied = forecast(replace(made, phases=(phases[0], light)), opened(), 20, shared=True)
    assert all(each.before_seconds > 0 for each in varied), "of other images"


def test_the_operations_of_a_resnet18_are_those_of_the_literature():
    """1.81 billion multiplications and additions for an image of 224 pixels (He et al. 2016 count each pair once)."""
    network = build_network("torchvision/resnet18", "none", Linear(), 1000, image_size=224, seed=0, meta=True)
    assert forward_flops(network) == pytest.approx(2 * 1.81e9, rel=0.01)
