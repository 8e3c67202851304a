"""Wide depthwise kernels, by name and by whether they train."""

from types import SimpleNamespace

from ftcli.plans.depthwise import wide_depthwise
from ftcli.plans.freeze_mask import FreezeMask
from ftcli.plans.layer_map import Layer, LayerMap, Parameter

SHAPES = {
    "wide.weight": (8, 1, 5, 5),
    "long.weight": (8, 1, 1, 7),
    "narrow.weight": (8, 1, 3, 3),
    "tall.weight": (8, 1, 7, 3),
    "plain.weight": (8, 8, 5, 5),
    "linear.weight": (8, 1),
}
PARAMETERS = tuple(Parameter(name, shape, 0, "stem", is_norm=False) for name, shape in SHAPES.items())
NETWORK = LayerMap("toy", (Layer(0, "stem", "stem"), Layer(1, "head", "head")), PARAMETERS)


def names(*masks):
    phases = [SimpleNamespace(mask=FreezeMask(frozenset(mask))) for mask in masks]
    return [p.name for p in wide_depthwise(NETWORK, phases)]


def test_more_than_three_columns_and_one_channel_each():
    assert names(SHAPES) == ["wide.weight", "long.weight"]


def test_only_what_trains_in_some_phase():
    assert names() == []
    assert names({"plain.weight"}, {"long.weight"}) == ["long.weight"]
