"""What a recipe says and the data make idle is told; what is used, or was never said, is not."""

from __future__ import annotations

from typing import Any

import pytest

from ftcli.findings import Finding
from ftcli.planner.data_notice import data_findings
from ftcli.plans.data_splits import DataSplits, Example
from ftcli.recipe.load import recipe_from

WHOLE = ("train", "val", "test")


def told(
    given: tuple[str, ...] = (),
    weights: tuple[float, ...] = (1.0,) * 4,
    kind: str = "csv",
    sampler: str = "shuffle",
    **split: Any,
) -> list[Finding]:
    data = {"kind": kind, "path": "x", "split": split} if kind != "digits" else {"kind": kind, "split": split}
    recipe = recipe_from(
        {"data": data, "model": {"backbone": "timm/a"}, "strategy": "full", "train": {"sampler": sampler}}
    )
    examples = tuple(Example(str(i), i % 2, weight=weight) for i, weight in enumerate(weights))
    streams = {"train": tuple(range(len(weights)))}
    splits = DataSplits("x", ("a", "b"), examples, streams, lambda index: pytest.fail("opened"), given=given)
    return list(data_findings(recipe, splits))


def test_nothing_is_told_of_what_nobody_wrote_or_what_is_used() -> None:
    assert told(WHOLE) == []
    assert told(WHOLE, by="ratio", val=0.15) == []
    assert told((), by="time", val=0.2, test=0.1) == []
    assert told(("train", "test"), val=0.2, by="group") == [], "the val is divided so"
    assert told(WHOLE, file="split.json", val=0.2) == []


def test_shares_of_streams_that_are_there() -> None:
    (finding,) = told(("train", "test"), val=0.2, test=0.3)
    assert (finding.severity, finding.where, finding.rule) == ("info", "data.split", "split-not-used")
    assert finding.message == "test: 0.3 is not used, for the data has its own test"
    assert finding.remedy == "leave it out; data.split_column: null has all rows divided anew"
    (both,) = told(WHOLE, kind="digits", val=0.2, test=0.3)
    assert both.message.count("is not used") == 2
    assert both.remedy == "leave it out"


def test_a_way_to_divide_what_is_divided() -> None:
    (time,) = told(WHOLE, by="time", kind="folder")
    assert time.severity == "warning", "whoever asks for this minds what is tested on what"
    assert time.message == "by: time divides nothing, for the data has its own train, val and test"
    assert "one folder of class folders" in time.remedy
    (group,) = told(WHOLE, by="group")
    assert group.message.endswith("that no group stands in two of them was checked")


def test_folds_make_a_share_of_validation_idle_but_divide_by_group() -> None:
    (finding,) = told(WHOLE, by="group", folds=4, val=0.3)
    assert finding.message == "val: 0.3 is not used, for each of 4 folds validates in its turn"


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("csv", "data.weight_column"),
        ("webdataset", "field weight"),
        ("hf_dataset", "data.weight_column"),
        ("folder", "has no weights"),
    ],
)
def test_weights_that_are_all_alike(kind: str, remedy: str) -> None:
    (finding,) = told(kind=kind, sampler="weighted")
    assert (finding.rule, finding.severity) == ("weights-all-alike", "warning")
    assert "every one of them is 1" in finding.message
    assert remedy in finding.remedy
    assert "balanced" in finding.remedy


def test_weights_that_differ_or_are_not_asked_for() -> None:
    assert told(weights=(1.0, 2.0), sampler="weighted") == []
    assert told(weights=(0.0, 0.0), sampler="weighted") == [], "the sampler refuses these"
    assert told(sampler="balanced") == []
