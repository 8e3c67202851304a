"""Each strategy as a pure function: which stages train in which epochs."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from ftcli.errors import RecipeError
from ftcli.plans.layer_map import Parameter
from ftcli.registry import implementation, kinds
from tests.maps import resnet, transformer


def timeline(kind, epochs, layer_map=None, **options):
    """[(first epoch, stages that train from then on)], lowest stage first."""
    layer_map = layer_map or resnet()
    choice = kinds("strategy")[kind].model_validate({"kind": kind, **options}, strict=False)
    start, rows = 0, []
    for stretch in implementation(choice, "phases")(choice, layer_map, epochs):
        stages = {layer_map.by_name[name].stage for name in stretch.mask.trainable}
        rows.append((start, [s for s in layer_map.stages if s in stages]))
        start = stretch.end_epoch
    return rows


def problem(kind, epochs, **options):
    with pytest.raises(RecipeError) as caught:
        timeline(kind, epochs, **options)
    return caught.value.problems[0]


def test_feature_extraction():
    assert timeline("feature_extraction", 5) == [(0, ["head"])]


def test_full_and_scratch():
    assert timeline("full", 5) == timeline("scratch", 5) == [(0, list(resnet().stages))]


def test_partial():
    assert timeline("partial", 5) == [(0, ["layer4", "head"])]
    assert timeline("partial", 5, last_stages=2) == [(0, ["layer3", "layer4", "head"])]
    assert timeline("partial", 5, from_stage="layer3") == [(0, ["layer3", "layer4", "head"])]
    assert timeline("partial", 5, train=["layer1", "layer4.*"]) == [(0, ["layer1", "layer4", "head"])]


def trained(kind, layer_map, **options):
    choice = kinds("strategy")[kind].model_validate({"kind": kind, **options}, strict=False)
    (stretch,) = implementation(choice, "phases")(choice, layer_map, 5)
    return stretch.mask.trainable


def test_biases_alone():
    layers = resnet()
    of_head = {p.name for p in layers.in_stages(["head"])}
    names = trained("bitfit", layers)
    assert names == of_head | {p.name for p in layers.parameters if p.name.endswith(".bias")}
    more = trained("bitfit", layers, norms=True)
    assert more - names == {p.name for p in layers.parameters if p.name.endswith("bn.weight")}


def test_a_backbone_without_biases():
    layers = resnet()
    bare = replace(
        layers,
        batch_norms=(),
        parameters=tuple(p for p in layers.parameters if not p.is_bias or p.stage == "head"),
    )
    with pytest.raises(RecipeError) as caught:
        trained("bitfit", bare)
    (told,) = caught.value.problems
    assert (told.message, told.remedy) == (
        "toy/resnet has no biases",
        "set norms: true, or take strategy: lora",
    )
    assert any("bn" in name for name in trained("bitfit", bare, norms=True))


@pytest.mark.parametrize("kind", ["lora", "ia3", "prompt_tuning", "prefix_tuning"])
def test_adapters_train_and_the_head(kind):
    layers = resnet()
    beside = Parameter("layer4.0.lora_A.default.weight", (2, 4), 8, "layer4", is_norm=False, is_adapter=True)
    layers = replace(layers, parameters=(*layers.parameters, beside))
    assert trained(kind, layers) == {beside.name, *(p.name for p in layers.in_stages(["head"]))}


def test_what_is_scaled_before_a_layer_is_a_target():
    with pytest.raises(ValidationError, match="fc2 is not"):
        kinds("strategy")["ia3"].model_validate({"kind": "ia3", "feedforward_modules": ["fc2"]}, strict=False)


def test_partial_from_a_stage_that_is_not_there():
    told = problem("partial", 5, from_stage="layer9")
    assert told.path == "strategy.from_stage"
    assert "layer4" in told.remedy
    assert problem("partial", 5, last_stages=9).path == "strategy.last_stages"
    assert problem("partial", 5, train=["layer1", "nothing*"]).path == "strategy.train[1]"


def test_lp_ft():
    assert timeline("lp_ft", 5, head_epochs=2) == [(0, ["head"]), (2, list(resnet().stages))]
    assert problem("lp_ft", 3, head_epochs=3).path == "train.epochs"


def test_gradual_goes_down_to_the_stem():
    rows = timeline("gradual", 12, every=2)
    assert [start for start, _ in rows] == [0, 2, 4, 6, 8, 10]
    assert [stages[0] for _, stages in rows] == ["head", "layer4", "layer3", "layer2", "layer1", "stem"]


def test_gradual_to_a_stage_with_a_longer_head_phase():
    rows = timeline("gradual", 9, every=1, head_epochs=3, to_stage="layer3")
    assert rows == [(0, ["head"]), (3, ["layer4", "head"]), (4, ["layer3", "layer4", "head"])]


def test_gradual_needs_an_epoch_for_each_phase():
    told = problem("gradual", 5)
    assert told.path == "train.epochs"
    assert "at least 6" in told.remedy
    assert len(timeline("gradual", 6)) == 6
    assert len(timeline("gradual", 14, layer_map=transformer(12))) == 14


def test_gradual_by_an_explicit_schedule():
    schedule = [
        {"stage": "layer4", "epoch": 1},
        {"stage": "layer[23]", "epoch": 4},
        {"stage": "stem", "epoch": 4},
    ]
    rows = timeline("gradual", 6, schedule=schedule)
    assert rows == [
        (0, ["head"]),
        (1, ["layer4", "head"]),
        (4, ["stem", "layer2", "layer3", "layer4", "head"]),
    ]
    assert problem("gradual", 4, schedule=schedule).path == "train.epochs"
    assert (
        problem("gradual", 9, schedule=[{"stage": "layr4", "epoch": 1}]).path == "strategy.schedule[0].stage"
    )
    twice = [{"stage": "layer4", "epoch": 1}, {"stage": "layer4", "epoch": 2}]
    assert problem("gradual", 9, schedule=twice).path == "strategy.schedule[1].stage"


def test_gradual_on_a_plateau_leaves_an_epoch_for_every_phase():
    choice = kinds("strategy")["gradual"](kind="gradual", on="plateau", patience=3)
    stretches = implementation(choice, "phases")(choice, resnet(), 10)
    assert [s.end_epoch for s in stretches] == [5, 6, 7, 8, 9, 10]
    assert [s.plateau.patience if s.plateau else None for s in stretches] == [3, 3, 3, 3, 3, None]
    assert problem("gradual", 5, on="plateau").path == "train.epochs"


@pytest.mark.parametrize("options", [{"last_stages": 1, "from_stage": "layer4"}])
def test_partial_takes_one_way_of_saying_it(options):
    with pytest.raises(ValueError, match="give one of"):
        kinds("strategy")["partial"](kind="partial", **options)
