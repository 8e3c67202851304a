import pytest

from ftcli.plans.layer_map import Layer, LayerMap, Parameter
from tests.maps import resnet


def test_stages_in_the_order_of_depth():
    assert resnet().stages == ("stem", "layer1", "layer2", "layer3", "layer4", "head")
    assert resnet().backbone_stages[-1] == "layer4"


def test_weight_decay_is_for_weights():
    decaying = {p.name for p in resnet(1).parameters if p.decays}
    assert decaying == {
        f"{n}.weight" for n in ("stem", "layer1.0", "layer2.0", "layer3.0", "layer4.0", "head")
    }


def test_what_is_not_a_layer_map():
    weight = Parameter("w", (2, 2), 0, "head", is_norm=False)
    head = Layer(0, "head", "head")
    with pytest.raises(ValueError, match="twice"):
        LayerMap("toy", (head,), (weight, weight))
    with pytest.raises(ValueError, match="last layer"):
        LayerMap("toy", (Layer(0, "stem", "stem"),), ())
    with pytest.raises(ValueError, match="does not belong"):
        LayerMap("toy", (head,), (Parameter("w", (2, 2), 0, "stem", is_norm=False),))
