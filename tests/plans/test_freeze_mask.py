import pytest

from ftcli.plans import freeze_mask
from ftcli.plans.freeze_mask import NoSuchStage
from ftcli.plans.layer_map import Layer, LayerMap, Parameter
from tests.maps import resnet


def trained_stages(mask):
    return {resnet().by_name[name].stage for name in mask.trainable}


def test_head_only():
    assert freeze_mask.head(resnet()).trainable == {"head.weight", "head.bias"}


def test_last_stages_counts_stages_not_layers():
    # ultralytics #13770: is freeze=10 one layer or ten?
    assert trained_stages(freeze_mask.last_stages(resnet(), 2)) == {"layer3", "layer4", "head"}
    assert freeze_mask.last_stages(resnet(), 5) == freeze_mask.everything(resnet())
    with pytest.raises(ValueError, match="5 stages below the head"):
        freeze_mask.last_stages(resnet(), 6)


def test_from_stage_includes_everything_above():
    assert trained_stages(freeze_mask.from_stage(resnet(), "layer3")) == {"layer3", "layer4", "head"}


def test_matching_globs_over_stages_and_parameters():
    by_parameter = freeze_mask.matching(resnet(), "layer4.1.*")
    assert {resnet().by_name[n].layer for n in by_parameter.trainable} == {8}
    assert trained_stages(freeze_mask.matching(resnet(), "layer[34]")) == {"layer3", "layer4"}


def test_a_pattern_that_matches_nothing_names_the_nearest():
    with pytest.raises(NoSuchStage) as caught:
        freeze_mask.matching(resnet(), "layer5")
    assert set(caught.value.nearest) <= set(resnet().stages)
    assert "layer4" in caught.value.nearest


def test_algebra_and_diff():
    head, top = freeze_mask.head(resnet()), freeze_mask.last_stages(resnet(), 1)
    assert head <= top
    assert top - head == freeze_mask.stages(resnet(), "layer4")
    assert (top & head) == head
    change = freeze_mask.diff(head, top)
    assert change.thawed == (top - head).trainable
    assert change.frozen == frozenset()


def test_numbers_of_the_worked_example():
    # Four 512x512 linear layers and a head 512 -> 128 -> 2, the last two layers and the head trained.
    layers = [Layer(i, f"l{i}", f"l{i}") for i in range(4)] + [Layer(4, "head", "head")]
    parameters = [
        Parameter(f"l{i}.{kind}", shape, i, f"l{i}", is_norm=False)
        for i in range(4)
        for kind, shape in (("weight", (512, 512)), ("bias", (512,)))
    ]
    for name, shape in {
        "0.weight": (128, 512),
        "0.bias": (128,),
        "2.weight": (2, 128),
        "2.bias": (2,),
    }.items():
        parameters.append(Parameter(f"head.{name}", shape, 4, "head", is_norm=False))
    layer_map = LayerMap("toy/mlp", tuple(layers), tuple(parameters))
    head = layer_map.numel(freeze_mask.head(layer_map).trainable)
    trained = layer_map.numel(freeze_mask.last_stages(layer_map, 2).trainable)
    backbone = layer_map.numel() - head
    assert (backbone, head, layer_map.numel()) == (1_050_624, 65_922, 1_116_546)
    assert trained == 591_234
    assert round(100 * trained / layer_map.numel(), 2) == 52.95
    assert round(100 * trained / backbone, 1) == 56.3
    assert round(100 * head / layer_map.numel(), 2) == 5.90
