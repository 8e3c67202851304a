"""What of a phase is frozen below the first layer that trains, and when it is kept."""

import pytest

from ftcli.planner.prefix import VIEWS
from ftcli.plans.prefix import PrefixCost
from ftcli.plans.training_plan import Bf16Effect, Machine
from tests.planner.test_compile import plan


def prefixes(**sections):
    return [phase.prefix for phase in plan(**sections).phases]


def test_the_boundary_is_the_first_layer_that_trains():
    made = plan(strategy={"kind": "partial", "last_stages": 1}, augment="none")
    layers, (phase,) = made.layer_map.layers, made.phases
    assert layers[phase.prefix.boundary].stage == made.layer_map.stages[-2]
    assert layers[phase.prefix.boundary - 1].stage != layers[phase.prefix.boundary].stage
    (probe,) = prefixes(strategy="feature_extraction")
    assert layers[probe.boundary].stage == "head"


def test_where_everything_trains_nothing_is_kept():
    (full,) = prefixes(strategy="full", augment="none")
    assert (full.boundary, full.kept) == (0, False)


@pytest.mark.parametrize(
    ("sections", "views", "reason"),
    [
        ({"augment": "none"}, 1, "every epoch sees the same images"),
        ({"augment": "light", "train": {"epochs": 10}}, VIEWS, "4 augmented views of each image"),
        ({"augment": "light", "train": {"epochs": 7}}, 0, "too few to repeat"),
        ({"augment": "light", "train": {"epochs": 7}, "cache": {"views": 2}}, 2, "cache.views: 2"),
        ({"augment": "light", "train": {"epochs": 2}, "cache": {"views": 2}}, 0, "no more than the views"),
        ({"augment": "light", "train": {"epochs": 10}, "cache": {"views": "fresh"}}, 0, "anew in each epoch"),
        ({"augment": "light", "train": {"epochs": 10}, "runtime": {"exact": True}}, 0, "runtime.exact"),
        ({"augment": "none", "runtime": {"exact": True}}, 1, "every epoch sees the same images"),
        ({"augment": {"kind": "light", "mix": "mixup"}, "train": {"epochs": 10}}, 0, "mixed anew"),
        ({"augment": "flip", "train": {"epochs": 3}}, 2, "as it is and mirrored"),
        ({"augment": "flip", "train": {"epochs": 2}}, 0, "no fewer than the two"),
        ({"augment": "flip", "cache": {"views": "fresh"}}, 2, "as it is and mirrored"),
        ({"augment": "flip", "runtime": {"exact": True}}, 2, "as it is and mirrored"),
        ({"augment": "flip", "cache": {"prefix": "off"}}, 0, "cache.prefix is off"),
        ({"augment": "none", "cache": {"prefix": "off"}}, 0, "cache.prefix is off"),
    ],
)
def test_how_many_views_are_kept(sections, views, reason):
    (prefix,) = prefixes(strategy="feature_extraction", **sections)
    assert prefix.views == views
    assert reason in prefix.reason


def test_exact_leaves_bf16_to_those_who_ask_for_it():
    able = Machine("cpu", bf16=True)
    effect = Bf16Effect(0.001, 32)
    assert plan(machine=able, evidence=effect).precision == "bf16"
    assert plan(machine=able, evidence=effect, runtime={"exact": True}).precision == "fp32"
    asked = {"runtime": {"exact": True}, "train": {"precision": "bf16"}}
    assert plan(machine=able, evidence=effect, **asked).precision == "bf16"


def test_a_part_that_is_hardly_any_work_is_not_kept():
    made = plan(strategy="feature_extraction", augment="none")
    boundary = made.phases[0].prefix.boundary
    for share, kept in ((0.05, False), (0.5, True)):
        costs = {boundary: PrefixCost(share, 2048)}
        (phase,) = plan(strategy="feature_extraction", augment="none", prefix_costs=costs).phases
        assert phase.prefix.kept == kept
        assert phase.prefix.cost == costs[boundary]


def test_each_phase_of_gradual_unfreezing_has_its_own():
    found = prefixes(strategy="gradual", augment="none")
    boundaries = [prefix.boundary for prefix in found]
    assert boundaries == sorted(boundaries, reverse=True)
    assert len(set(boundaries)) == len(boundaries)
