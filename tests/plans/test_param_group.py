from ftcli.plans import freeze_mask
from ftcli.plans.param_group import group_parameters
from tests.maps import resnet


def test_every_trainable_name_is_in_exactly_one_group():
    layer_map = resnet()
    mask = freeze_mask.last_stages(layer_map, 2)
    groups = group_parameters(layer_map, mask, dict.fromkeys(range(99), 1.0), 0.1)
    names = [name for group in groups for name in group.params]
    assert sorted(names) == sorted(mask.trainable)


def test_norms_and_biases_do_not_decay():
    layer_map = resnet()
    groups = group_parameters(
        layer_map, freeze_mask.everything(layer_map), dict.fromkeys(range(99), 1.0), 0.1
    )
    for group in groups:
        decays = {layer_map.by_name[name].decays for name in group.params}
        assert decays == {group.weight_decay > 0}


def test_groups_follow_depth_the_head_last():
    layer_map = resnet()
    scales = {layer.index: 0.5 ** (9 - layer.index) for layer in layer_map.layers}
    groups = group_parameters(layer_map, freeze_mask.everything(layer_map), scales, 0.1)
    assert [g.layer for g in groups] == sorted(g.layer for g in groups)
    assert groups[-1].stage == "head"
    assert {g.layer: g.lr_scale for g in groups} == scales
