"""What is advised where a backbone has forgotten: values of the recipe at hand."""

from __future__ import annotations

from typing import Any

import pytest

from ftcli.planner.forgetting import forgot
from ftcli.plans.forgetting import Forgetting
from tests.report.report_samples import plan

FELL = Forgetting(120, 10, 0.817, 0.642, 22, 1, 6e-6)


def remedy(strategy: Any, **sections: Any) -> str:
    (finding,) = forgot(plan(strategy, **sections), FELL)
    assert (finding.rule, finding.severity) == ("forgot", "warning")
    return finding.remedy


def test_the_fall_is_told_with_its_error() -> None:
    (finding,) = forgot(plan("full"), FELL)
    for words in ("64.2% on 120 images", "had 81.7%", "22 were right before", "1 the other way", "p 6e-06"):
        assert words in finding.message


def test_all_of_the_backbone_may_be_slower_less_or_later() -> None:
    told = remedy("full", norm="freeze_stats")
    assert "backbone_divisor: 100} (now 10)" in told
    assert told.endswith("strategy: lp_ft, or strategy: {kind: partial, last_stages: 1}")
    assert "freeze_stats" not in told


def test_what_the_recipe_does_already_is_not_advised() -> None:
    assert "strategy: lp_ft" not in remedy("lp_ft")
    assert "backbone_divisor: 10} (now 1)" in remedy("full", layer_lr="uniform")
    assert "strategy: feature_extraction" in remedy({"kind": "partial", "last_stages": 1})


@pytest.mark.parametrize(("norm", "told"), [("train", "norm: freeze_stats,"), ("group_norm", "discards")])
def test_norms_come_first(norm: str, told: str) -> None:
    assert told in remedy("full", norm=norm).split("layer_lr")[0]


@pytest.mark.parametrize(
    "measured",
    [
        Forgetting(120, 10, 0.817, 0.80, 3, 1, 0.63),
        Forgetting(120, 10, 0.642, 0.817, 1, 22, 6e-6),
        Forgetting(120, 10, 0.8, 0.8, 0, 0, 1.0),
    ],
)
def test_chance_and_gain_are_no_finding(measured: Forgetting) -> None:
    assert list(forgot(plan("full"), measured)) == []
