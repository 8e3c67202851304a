"""Advice: who wins, why, and everything that follows from it."""

from __future__ import annotations

import json

import pytest
import yaml

from ftcli.planner.advice_recipe import Source, recipe_text
from ftcli.planner.advise import Advice, Streams, recommend
from ftcli.planner.cautions import overfitting
from ftcli.planner.compute import cheaper
from ftcli.planner.domain import DISTANCES, Domain, parse_domain
from ftcli.planner.measured import EVIDENCE
from ftcli.planner.table_rows import Case
from ftcli.planner.trusted import winning_row
from ftcli.planner.what_if import changes
from ftcli.plans.layer_map import LayerMap
from ftcli.recipe.check import check
from ftcli.recipe.schema import Recipe
from tests.maps import RESNET18_STAGES, chain


def resnet() -> LayerMap:
    return chain(*RESNET18_STAGES, blocks=2, backbone="torchvision/resnet18")


def transformer() -> LayerMap:
    names = ("stem", *(f"blocks.{i}" for i in range(12)), "head")
    return chain(*names, batch_norm=False, backbone="timm/vit_small_patch16_224")


def advice(
    images: int, domain: str = "close", classes: int | None = None, layer_map: LayerMap | None = None
) -> Advice:
    return recommend(Case(images, parse_domain(domain), classes), layer_map or resnet())


def recipe(told: Advice) -> Recipe:
    found, problems = check(yaml.safe_load(recipe_text(told)))
    assert not problems
    assert found is not None
    return found


def test_where_all_agree_it_is_said() -> None:
    told = advice(500, "close", 10)
    assert told.chosen.table == "B"
    assert told.why == "no table disagrees"
    assert [fired.table for fired in told.tables] == ["M", "B", "A", "D", "C"]
    assert all(fired.agrees for fired in told.tables)


def test_where_they_disagree_the_winner_and_its_ground_are_named() -> None:
    told = advice(50_000, "food", 20)
    assert told.why == (
        "A and C disagree; table B wins, for it knows the images per class, which say more than totals"
    )
    assert [(fired.table, fired.agrees) for fired in told.tables] == [
        ("M", True),
        ("B", True),
        ("A", False),
        ("D", True),
        ("C", False),
    ]


def test_what_was_measured_wins_where_it_was_measured_and_the_evidence_is_named() -> None:
    told = advice(200, "0.84", 10)
    assert (told.chosen.table, told.chosen.strategy) == ("M", "full")
    assert told.why == f"D and C disagree; table M wins, for it was measured in {EVIDENCE}"
    assert {fired.table: fired.agrees for fired in told.tables} == {
        "M": True,
        "B": True,
        "A": True,
        "D": False,
        "C": False,
    }
    assert "# Table M: " in recipe_text(told)
    assert advice(2_100, "0.84", 10).chosen.table == "B"
    assert advice(200, "0.84").chosen.table == "D"


@pytest.mark.parametrize(
    ("images", "domain", "classes", "winner"),
    [
        (200, "0.84", 10, "M"),
        (5_000, "close", 10, "B"),
        (5_000, "close", None, "A"),
        (5_000, "far", None, "D"),
        (500_000, "close", None, "D"),
    ],
)
def test_the_order_of_trust(images: int, domain: str, classes: int | None, winner: str) -> None:
    assert advice(images, domain, classes).chosen.table == winner


def test_a_row_that_leaves_a_choice_does_not_disagree_with_it() -> None:
    fired = {f.table: f.agrees for f in advice(2_000_000, "far", 100).tables}
    assert fired == {"M": True, "B": True, "A": True, "D": True, "C": False}


def test_a_silent_table_says_nothing() -> None:
    silent = {f.table for f in advice(5_000, "far").tables if f.row is None}
    assert silent == {"M", "A", "B"}


def test_norm_follows_the_recipe_s_own_policy() -> None:
    assert advice(1_795, "close").norm.kind == "freeze_stats"
    assert advice(1_795, "close").norm.reason == "1,257 training examples, fewer than 5,000"
    assert advice(10_000, "close").norm.kind == "train"
    assert advice(8_000, "far").norm.kind == "train"
    assert advice(500, "far").norm.kind == "freeze_stats"
    assert advice(2_000, "far", 10).norm.kind == "freeze_stats", "batches of 32 are no reason to follow them"
    assert advice(2_000_000, "far", 100).norm.reason == "no pretrained statistics to keep"


@pytest.mark.parametrize(("num_train", "trainable", "warns"), [(1_000, 591_234, True), (1_000, 5_130, False)])
def test_many_parameters_to_an_example_are_warned_of(num_train: int, trainable: int, warns: bool) -> None:
    found = overfitting(num_train, trainable)
    assert (found is not None) is warns
    if found:
        assert found.message.startswith("1,000 training examples against 591,234 trainable parameters")


@pytest.mark.parametrize(
    ("images", "domain", "classes", "stages"),
    [
        (500, "close", 10, ["head"]),
        (5_000, "close", None, ["layer3", "layer4", "head"]),
        (5_000, "far", 10, ["stem", "layer1", "layer2", "layer3", "layer4", "head"]),
    ],
)
def test_what_trains_is_counted(images: int, domain: str, classes: int | None, stages: list[str]) -> None:
    expected = sum(parameter.numel for parameter in resnet().in_stages(stages))
    assert advice(images, domain, classes).trainable == expected


def test_no_more_stages_train_than_there_are() -> None:
    told = advice(5_000, "close", None, chain("stem", "head"))
    assert told.chosen.last_stages == 1
    assert told.trainable == chain("stem", "head").numel()


def test_the_streams_of_the_data_count_where_they_are_known() -> None:
    told = recommend(Case(9_000, parse_domain("close")), resnet(), Streams(8_000, 500, 500))
    assert (told.streams.train, told.epochs, told.norm.kind) == (8_000, 10, "train")
    assert advice(9_000).streams == Streams(6_300, 1_350, 1_350)


def test_a_small_validation_set_and_a_missing_number_of_classes_are_told() -> None:
    assert {finding.where for finding in advice(200).findings} == {"--classes", "data.split"}
    assert not advice(20_000, "close", 2_000).findings


def test_what_would_change_the_answer() -> None:
    assert advice(3_000, "close").changes == (
        "with 10,000 images or more: everything (table A)",
        "with 999 images or fewer: the head (table A)",
        "at a distance of 0.5 or more, a far domain (0.3 from here): the head and the last 2 stages, but at 1e-5 "
        "(table D)",
    )
    assert advice(5_000, "pets", 10).changes == (
        "with 10,000 images or more: the head and the last 2 stages (table B)",
        "at a distance of 0.5 or more, a far domain (0.4 from here): everything (table B)",
    )


def test_it_says_so_where_only_the_lr_would_change() -> None:
    assert advice(200, "0.4", 10).changes == (
        "with 2,010 images or more: the head (table B)",
        "with 49 images or fewer: the head (table B)",
        "at a distance below 0.35 (0.05 from here): the head (table B)",
        "at a distance of 0.9 or more, a far domain (0.5 from here): everything, but at 1e-5 to 1e-4 (table B)",
    )


@pytest.mark.parametrize("distance", [0.2, 0.36, 0.4, 0.6, 0.75, 0.85])
@pytest.mark.parametrize("images", [60, 199, 200, 900])
def test_no_neighbour_nearer_than_the_one_it_names_gets_another_answer(images: int, distance: float) -> None:
    """Asked one by one."""

    def answer(number: int, far: float) -> tuple[object, ...]:
        row = winning_row(Case(number, Domain(far), 10))
        return row.trains, row.rates.early, row.rates.late

    here = answer(images, distance)
    told = "\n".join(changes(Case(images, Domain(distance), 10), {str(here[0])}))
    more = next((n for n in range(images, 3_000) if answer(n, distance) != here), None)
    fewer = next((n for n in range(images, 10, -1) if answer(n, distance) != here), None)
    nearer = next((d for d in range(round(100 * distance), 0, -1) if answer(images, d / 100) != here), None)
    further = next((d for d in range(round(100 * distance), 101) if answer(images, d / 100) != here), None)
    assert (f"with {more:,} images or more" in told) if more else "2,010 images or more" not in told
    assert fewer is None or f"with {fewer:,} images or fewer" in told
    assert nearer is None or f"at a distance below {(nearer + 1) / 100:g}" in told
    assert further is None or f"at a distance of {further / 100:g} or more" in told


@pytest.mark.parametrize("layer_map", [resnet(), transformer()], ids=["resnet", "transformer"])
@pytest.mark.parametrize("domain", DISTANCES)
@pytest.mark.parametrize("images", [50, 900, 5_000, 50_000, 3_000_000])
def test_every_advice_is_a_valid_recipe(images: int, domain: str, layer_map: LayerMap) -> None:
    for classes in (None, 2, 25):
        told = advice(images, domain, classes, layer_map)
        written = recipe(told)
        assert written.strategy.kind == told.chosen.strategy
        assert written.optimizer.lr == told.chosen.rates.head
        assert (written.train.epochs, written.train.batch_size) == (told.epochs, told.batch_size)
        assert json.loads(json.dumps(told.to_dict())) == told.to_dict()


def test_a_recipe_cites_its_rule_and_carries_the_numbers() -> None:
    text = recipe_text(advice(5_000, "chest-xray", 2))
    assert (
        "# Table B: any size, very different: everything, with augmentation, LRs 1e-5 / 1e-4 / 1e-3." in text
    )
    written = recipe(advice(5_000, "chest-xray", 2))
    assert written.layer_lr.divisors == (100.0, 100.0, 10.0, 10.0)
    assert (written.augment.kind, written.augment.flip) == ("standard", False)
    assert written.norm.kind == "auto"
    assert recipe(advice(5_000, "close")).layer_lr.backbone_divisor == 10.0
    assert recipe(advice(5_000, "far", 2, transformer())).layer_lr.lowest == 1e-5


def test_less_than_the_tables_say_is_told_with_its_reason() -> None:
    less = next(cheaper(advice(5_000, "far", 2).chosen))
    told = recommend(Case(5_000, parse_domain("far"), 2), resnet(), None, less, "it would take too long")
    assert (told.chosen.strategy, told.chosen.last_stages) == ("partial", 2)
    assert "# It would take too long." in recipe_text(told)
    assert recipe(told).strategy.last_stages == 2


def test_a_source_becomes_the_data_section() -> None:
    source = Source(
        "csv", 'odd: "name" #1.csv', image_size=64, bad_images=3, remarks=("Seen.",), device="cpu"
    )
    text = recipe_text(advice(500), source)
    found, problems = check(yaml.safe_load(text))
    assert not problems
    assert found is not None
    assert (found.data.kind, found.data.path, found.data.image_size) == ("csv", 'odd: "name" #1.csv', 64)
    assert found.data.on_bad_image == "skip"
    assert found.runtime.device == "cpu"
    assert "# Seen." in text.splitlines()
