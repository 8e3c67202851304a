"""What holds for every way of giving layers their LR."""

import pytest

from ftcli.registry import implementation, kinds
from tests.maps import resnet, transformer

NEEDED = {"stages": {"lr": {"head": 1e-3, "*": 1e-4}}}


@pytest.mark.parametrize("layer_map", [resnet(), transformer()], ids=["resnet", "transformer"])
@pytest.mark.parametrize("kind", kinds("layer_lr"))
def test_every_layer_has_one_positive_lr_and_the_head_the_highest(kind, layer_map):
    options = kinds("layer_lr")[kind].model_validate({"kind": kind, **NEEDED.get(kind, {})})
    scales = implementation(options, "scales")(options, layer_map, 1e-3)
    assert scales.keys() == {layer.index for layer in layer_map.layers}
    assert all(scale > 0 for scale in scales.values())
    in_depth = [scales[layer.index] for layer in layer_map.layers]
    assert in_depth == sorted(in_depth), "lower layers are never faster"
    assert in_depth[-1] == 1.0
