"""The LR tables of the literature, number by number."""

import pytest

from ftcli.errors import RecipeError
from ftcli.plans.layer_map import LayerMap
from ftcli.registry import implementation, kinds
from tests.maps import chain, resnet, transformer


def rates(kind, layer_map: LayerMap, base_lr: float, **options) -> list[float]:
    """The LR of each layer, from the stem to the head."""
    choice = kinds("layer_lr")[kind].model_validate({"kind": kind, **options}, strict=False)
    scales = implementation(choice, "scales")(choice, layer_map, base_lr)
    return [base_lr * scales[layer.index] for layer in layer_map.layers]


def test_decay_of_0_3_over_the_stages_of_a_resnet():
    # conv1+bn1 ... fc, base 1e-3, from the top down.
    expected = [2.43e-6, 8.1e-6, 2.7e-5, 9e-5, 3e-4, 1e-3]
    assert rates("layer_decay", resnet(1), 1e-3, decay=0.3, over="stages") == pytest.approx(expected)


def test_decay_of_0_75_over_twelve_layers():
    twelve = chain("stem", *(f"blocks.{i}" for i in range(10)), "head", batch_norm=False)
    assert len(twelve.layers) == 12
    assert rates("layer_decay", twelve, 1.0)[0] == pytest.approx(0.75**11)
    assert rates("layer_decay", twelve, 1.0)[0] == pytest.approx(0.0422, abs=1e-4)


def test_decay_of_a_tenth_over_four_layers():
    four = chain("stem", "a", "b", "head")
    assert rates("layer_decay", four, 1e-3, decay=0.1) == pytest.approx([1e-6, 1e-5, 1e-4, 1e-3])


def test_decay_over_blocks_or_over_stages():
    by_layer = rates("layer_decay", resnet(2), 1.0, decay=0.5)
    by_stage = rates("layer_decay", resnet(2), 1.0, decay=0.5, over="stages")
    assert by_layer == [0.5 ** (9 - k) for k in range(10)]
    assert by_stage == [0.5**k for k in (5, 4, 4, 3, 3, 2, 2, 1, 1, 0)]


def test_explicit_table_of_a_resnet():
    table = {"stem": 1e-6, "layer1": 1e-6, "layer2": 3e-6, "layer3": 1e-5, "layer4": 3e-5, "head": 3e-4}
    assert rates("stages", resnet(1), 1e-3, lr=table) == pytest.approx(list(table.values()))


@pytest.mark.parametrize("last", ["blocks[6:]", "blocks[6:12]", "blocks.*"])
def test_explicit_table_in_ranges_of_blocks(last: str):
    table = {"blocks[:6]": 1e-5, last: 2e-5, "stem": 1e-6, "head": 3e-5}
    expected = [1e-6, *[1e-5] * 6, *[2e-5] * 6, 3e-5]
    assert rates("stages", transformer(), 1e-3, lr=table) == pytest.approx(expected)


def test_explicit_table_in_slices_of_a_transformer():
    # The first six layers 1e-5, the rest 2e-5, the head 3e-5; embeddings at the base LR.
    table = {"blocks.[0-5]": 1e-5, "blocks.*": 2e-5, "head": 3e-5}
    expected = [1e-5, *[1e-5] * 6, *[2e-5] * 6, 3e-5]
    assert rates("stages", transformer(12), 1e-5, lr=table) == pytest.approx(expected)


def test_explicit_table_with_a_stage_that_is_not_there():
    with pytest.raises(RecipeError) as caught:
        rates("stages", resnet(1), 1e-3, lr={"layer5": 1e-5})
    assert caught.value.problems[0].path == "layer_lr.lr.layer5"
    assert "layer4" in caught.value.problems[0].remedy


def test_discriminative_by_divisors():
    # Stem and first group base / 100, then / 10, / 3, then the base LR up to the head.
    expected = [1e-5, 1e-5, 1e-4, 1e-3 / 3, 1e-3, 1e-3]
    assert rates("discriminative", resnet(1), 1e-3, divisors=[100, 10, 3]) == pytest.approx(expected)


def test_discriminative_geometric():
    got = rates("discriminative", resnet(1), 1e-3, lowest=1e-6, highest=1e-4)
    assert got[0] == pytest.approx(1e-6)
    assert got[-1] == pytest.approx(1e-4)
    steps = [b / a for a, b in zip(got, got[1:], strict=False)]
    assert steps == pytest.approx([100 ** (1 / 5)] * 5)


def test_discriminative_default_is_a_tenth_for_the_backbone():
    assert rates("discriminative", resnet(1), 1e-3) == pytest.approx([1e-4] * 5 + [1e-3])
    assert rates("discriminative", resnet(1), 1e-3, backbone_divisor=100) == pytest.approx(
        [1e-5] * 5 + [1e-3]
    )


def test_uniform():
    assert rates("uniform", resnet(1), 1e-3) == [1e-3] * 6


def test_more_divisors_than_stages():
    with pytest.raises(RecipeError, match="problem"):
        rates("discriminative", resnet(1), 1e-3, divisors=[2, 2, 2, 2, 2])


@pytest.mark.parametrize(
    "options",
    [{"lowest": 1e-6}, {"lowest": 1e-3, "highest": 1e-6}, {"divisors": [3], "backbone_divisor": 10}],
)
def test_forms_that_do_not_go_together(options):
    with pytest.raises(ValueError, match=r"go together|above highest|give one of"):
        kinds("layer_lr")["discriminative"].model_validate(
            {"kind": "discriminative", **options}, strict=False
        )
