"""The stratified split and its record: on paper, without an image."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest
from pydantic import ValidationError

from ftcli.components.data._common import Split, complete
from ftcli.errors import DataError
from ftcli.plans.data_splits import TRAIN, DataSplits, Example, apply_split_record, split_record
from ftcli.workflows.same_plan import _data_differences


def unsplit(counts: dict[str, int], order: random.Random | None = None) -> DataSplits:
    examples = [Example(f"{name}/{i}", k) for k, (name, n) in enumerate(counts.items()) for i in range(n)]
    if order:
        order.shuffle(examples)
    streams = {TRAIN: tuple(range(len(examples)))}
    return DataSplits(
        "paper", tuple(counts), tuple(examples), streams, load=lambda index: pytest.fail("opened")
    )


def assignment(splits: DataSplits) -> dict[str, str]:
    return {splits.examples[i].key: stream for stream, indices in splits.streams.items() for i in indices}


def test_each_class_is_divided_by_the_shares() -> None:
    splits = complete(unsplit({"a": 100, "b": 20, "c": 3}), Split(val=0.1, test=0.2), seed=0)
    assert splits.count_per_class("train") == {"a": 70, "b": 14, "c": 1}
    assert splits.count_per_class("val") == {"a": 10, "b": 2, "c": 1}
    assert splits.count_per_class("test") == {"a": 20, "b": 4, "c": 1}
    assert all(list(indices) == sorted(indices) for indices in splits.streams.values())


def test_the_seed_decides_and_the_order_of_the_files_does_not() -> None:
    counts = {"a": 30, "b": 30}
    first = assignment(complete(unsplit(counts), Split(), seed=1))
    assert assignment(complete(unsplit(counts, random.Random(5)), Split(), seed=1)) == first
    assert assignment(complete(unsplit(counts), Split(), seed=2)) != first


def test_the_split_is_pinned() -> None:
    """A change here would change what every recipe with this seed is tested on."""
    splits = complete(unsplit({"a": 8, "b": 8}), Split(), seed=0)
    chosen = split_record(splits)["streams"]
    assert chosen["val"] == ["a/6", "b/0"]
    assert chosen["test"] == ["a/4", "b/3"]


def test_new_images_leave_the_others_where_they_were() -> None:
    before = assignment(complete(unsplit({"a": 100, "b": 100}), Split(), seed=0))
    after = assignment(complete(unsplit({"a": 110, "b": 100}), Split(), seed=0))
    moved = [key for key, stream in before.items() if after[key] != stream]
    assert len(moved) <= 6
    assert not any({before[key], after[key]} == {"val", "test"} for key in moved)


@pytest.mark.parametrize(
    ("count", "shares", "message"),
    [
        (1, Split(), "class 'rare' has 1 image: 1 for val and 1 for test leave none to train on"),
        (2, Split(), "class 'rare' has 2 images"),
        (3, Split(val=0.5, test=0.4), "class 'rare' has 3 images: 2 for val and 1 for test leave none"),
    ],
)
def test_a_class_too_small_to_divide_is_named(count: int, shares: Split, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        complete(unsplit({"common": 50, "rare": count}), shares, seed=0)
    assert caught.value.exit_code == 4
    assert "at least 3 are needed" in str(caught.value.remedy)


def test_shares_that_leave_nothing_are_a_mistake_of_the_recipe() -> None:
    with pytest.raises(ValidationError, match="leave nothing to train on"):
        Split(val=0.6, test=0.4)


def test_the_record_rebuilds_the_split_and_leaves_out_what_came_later() -> None:
    splits = complete(unsplit({"a": 10, "b": 10}), Split(), seed=3)
    record = json.loads(json.dumps(split_record(splits)))
    assert record["counts"] == {"train": 12, "val": 4, "test": 4}

    grown = unsplit({"a": 12, "b": 10}, random.Random(1))
    rebuilt = apply_split_record(grown, record)

    assert assignment(rebuilt) == assignment(splits)
    assert split_record(rebuilt) == record


def test_other_labels_or_weights_are_seen_when_a_run_is_gone_on_with() -> None:
    """Their keys and streams are the same. A record from before they were on record is passed over."""
    splits = complete(unsplit({"a": 10, "b": 10}), Split(), seed=3)
    record = split_record(splits)
    first, *rest = splits.examples
    for other in (replace(first, label=1), replace(first, weight=2.0)):
        (told,) = _data_differences(record, replace(splits, examples=(other, *rest)))
        assert "labels, weights or the order" in told
    assert not list(_data_differences(record, splits))
    old = {name: value for name, value in record.items() if name != "examples"}
    assert not list(_data_differences(old, replace(splits, examples=(replace(first, label=1), *rest))))


def test_a_record_that_does_not_fit_is_refused() -> None:
    splits = complete(unsplit({"a": 10, "b": 10}), Split(), seed=3)
    record = split_record(splits)

    with pytest.raises(DataError, match="1 of the recorded examples are gone, 'b/9' first"):
        apply_split_record(unsplit({"a": 10, "b": 9}), record)
    with pytest.raises(DataError, match="the classes were a, b and are a, c"):
        apply_split_record(unsplit({"a": 10, "c": 10}), record)
    moved = {**record, "streams": {**record["streams"], "test": record["streams"]["val"]}}
    with pytest.raises(DataError, match="changed after it was written"):
        apply_split_record(splits, moved)
