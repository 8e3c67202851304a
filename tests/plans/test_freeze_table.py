"""Stage by phase, counted: on a ResNet-18 whose numbers are known."""

from __future__ import annotations

from typing import Any

import pytest

from ftcli.plans.freeze_facts import plan_facts
from ftcli.plans.freeze_table import FreezeTable, NormCount, freeze_table
from tests.report.report_samples import plan

PARAMETERS = {
    "stem": 9_536,
    "layer1": 147_968,
    "layer2": 525_568,
    "layer3": 2_099_712,
    "layer4": 8_393_728,
    "head": 5_130,
}


def table_of(strategy: Any, **sections: Any) -> FreezeTable:
    return freeze_table(plan_facts(plan(strategy, **sections)))


def test_the_stages_stand_from_input_to_output_with_their_parameters() -> None:
    freeze = table_of("full")
    assert {row.name: row.parameters for row in freeze.stages} == PARAMETERS
    assert list(PARAMETERS) == [row.name for row in freeze.stages]
    assert freeze.parameters == 11_176_512 + 5_130


def test_feature_extraction_trains_the_head_alone() -> None:
    freeze = table_of("feature_extraction")
    *backbone, head = [row.phases[0] for row in freeze.stages]
    assert all(cell.trainable == 0 and cell.trainable_share == 0 for cell in backbone)
    assert all(cell.lr_low is None and cell.lr_high is None and cell.weight_decay == () for cell in backbone)
    assert (head.trainable, head.trainable_share, head.lr_high) == (5_130, 1.0, 1e-3)
    assert freeze.phases[0].stages == ("head",)
    assert freeze.phases[0].trainable_share == pytest.approx(5_130 / 11_181_642)


def test_a_frozen_stage_has_its_norms_in_eval_mode_whatever_the_policy() -> None:
    freeze = table_of("partial", norm="train")
    layer3, layer4 = (row.phases[0].batch_norm for row in freeze.stages[3:5])
    assert layer3 == NormCount(layers=5, updates_stats=0, trains_affine=0)
    assert layer4 == NormCount(layers=5, updates_stats=5, trains_affine=5)


@pytest.mark.parametrize(
    ("policy", "updates", "trains"),
    [("train", 20, 20), ("freeze_stats", 0, 20), ("freeze", 0, 0), ("freeze_affine", 20, 0)],
)
def test_the_policies_on_all_twenty_norms(policy: str, updates: int, trains: int) -> None:
    (phase,) = table_of("full", norm=policy).phases
    assert phase.batch_norm == NormCount(20, updates, trains)


def test_without_the_affine_parameters_a_stage_trains_in_part() -> None:
    freeze = table_of("full", norm="freeze")
    stem = freeze.stages[0].phases[0]
    assert stem.trainable == 9_408
    assert stem.trainable_share == pytest.approx(9_408 / 9_536)
    assert stem.weight_decay == (1e-4,)


def test_lrs_are_peaks_and_span_the_layers_of_a_stage() -> None:
    freeze = table_of("full", layer_lr={"kind": "layer_decay", "decay": 0.5})
    by_name = {row.name: row.phases[0] for row in freeze.stages}
    assert (by_name["head"].lr_low, by_name["head"].lr_high) == (1e-3, 1e-3)
    assert (by_name["layer4"].lr_low, by_name["layer4"].lr_high) == (2.5e-4, 5e-4)
    assert freeze.phases[0].lr_lowest == pytest.approx(1e-3 * 0.5**9)
    assert by_name["layer4"].weight_decay == (0.0, 1e-4)


def test_each_phase_is_counted_by_itself() -> None:
    freeze = table_of("gradual", train={"epochs": 12})
    assert [phase.name for phase in freeze.phases][:3] == ["head", "+layer4", "+layer3"]
    assert [len(phase.stages) for phase in freeze.phases] == [1, 2, 3, 4, 5, 6]
    assert freeze.phases[1].trainable == 8_393_728 + 5_130
    assert freeze.phases[-1].trainable == freeze.parameters
    assert [(p.start_epoch, p.end_epoch) for p in freeze.phases[-2:]] == [(4, 5), (5, 12)]
