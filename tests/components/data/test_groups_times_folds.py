"""Splits by group, by time, in folds and from a file: on paper, without an image."""

from __future__ import annotations

import json
import random
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ftcli.components.data._common import Split, complete
from ftcli.errors import DataError
from ftcli.plans.data_splits import TRAIN, DataSplits, Example, split_record


def unsplit(examples: list[Example], streams: dict[str, tuple[int, ...]] | None = None) -> DataSplits:
    labels = 1 + max(example.label for example in examples)
    return DataSplits(
        "paper",
        tuple("abcdefgh"[:labels]),
        tuple(examples),
        streams or {TRAIN: tuple(range(len(examples)))},
        load=lambda index: pytest.fail("opened"),
    )


def patients(count: int = 30, each: int = 4) -> list[Example]:
    """Every patient has one class; the classes alternate."""
    return [
        Example(f"{p:02d}/{i}", p % 2, group=f"p{p}", time=str(2000 + p))
        for p in range(count)
        for i in range(each)
    ]


def groups(splits: DataSplits) -> dict[str, set[str | None]]:
    return {s: {splits.examples[i].group for i in indices} for s, indices in splits.streams.items()}


def keys(splits: DataSplits) -> dict[str, set[str]]:
    return {s: {splits.examples[i].key for i in indices} for s, indices in splits.streams.items()}


def disjoint(sets: dict[str, set[str | None]]) -> bool:
    return all(not a & b for a, b in combinations(sets.values(), 2))


def test_groups_stay_whole_and_the_shares_and_classes_nearly_hold() -> None:
    splits = complete(unsplit(patients()), Split(by="group", val=0.2, test=0.2), seed=0)
    assert disjoint(groups(splits))
    assert {stream: len(indices) for stream, indices in splits.streams.items()} == {
        "train": 72,
        "val": 24,
        "test": 24,
    }
    assert splits.count_per_class("test") == {"a": 12, "b": 12}
    assert splits.how == "by group: 18 train, 6 val, 6 test"


@pytest.mark.parametrize("shares", [Split(by="group"), Split(by="group", folds=4, fold=2)])
def test_the_seed_decides_and_the_order_of_the_files_does_not(shares: Split) -> None:
    shuffled = patients()
    random.Random(3).shuffle(shuffled)
    first = keys(complete(unsplit(patients()), shares, seed=1))
    assert keys(complete(unsplit(shuffled), shares, seed=1)) == first
    assert keys(complete(unsplit(patients()), shares, seed=2)) != first


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2)), min_size=4, max_size=25),
    seed=st.integers(0, 2**32 - 1),
    val=st.floats(0.05, 0.4),
    test=st.floats(0.05, 0.4),
    folds=st.sampled_from([None, 2, 3]),
)
def test_no_group_is_ever_in_two_streams(
    sizes: list[tuple[int, int]], seed: int, val: float, test: float, folds: int | None
) -> None:
    """Whatever the groups: either an error of the data, or streams that share none and lose nothing."""
    every = [
        Example(f"{g}/{i}", (g + i * mix) % 2, group=f"g{g}")
        for g, (n, mix) in enumerate(sizes)
        for i in range(n)
    ]
    if len({example.label for example in every}) < 2:
        return
    try:
        splits = complete(unsplit(every), Split(by="group", val=val, test=test, folds=folds), seed)
    except DataError:
        return
    assert disjoint(groups(splits))
    assert sorted(i for indices in splits.streams.values() for i in indices) == list(range(len(every)))
    assert all(splits.streams[stream] for stream in ("train", "val", "test"))
    assert min(splits.count_per_class("train").values()) > 0


def test_very_many_groups_are_split_at_once() -> None:
    splits = complete(unsplit(patients(count=3000, each=2)), Split(by="group", val=0.1, test=0.1), seed=0)
    assert disjoint(groups(splits))
    assert abs(len(splits.streams["test"]) - 600) <= 60


def test_groups_that_the_source_itself_has_torn_apart_are_told() -> None:
    every = patients(6, 2)
    with pytest.raises(DataError, match="group 'p0' stands in train and in test"):
        complete(unsplit(every, {"train": tuple(range(1, 12)), "test": (0,)}), Split(by="group"), seed=0)


REMEDIES = {
    "group": {
        "folder": r"set data.group to a regular expression that finds the group in every image's path, in "
        r"parentheses: patient(\d+)",
        "csv": "fill the column that data.group_column names",
        "webdataset": ".json with a field group",
        "hf_dataset": "name the column of groups",
        "digits": "data of this kind has no groups: list the images in a CSV file",
    },
    "time": {
        "folder": "data of this kind has no times: list the images in a CSV file",
        "csv": "fill the column that data.time_column names",
        "hf_dataset": "data.time_column",
    },
}


def test_streams_that_the_source_had_are_remembered() -> None:
    every = [Example(str(i), i % 2) for i in range(20)]
    assert complete(unsplit(every), Split(), seed=0).given == ()
    own = {"train": tuple(range(12)), "test": tuple(range(12, 20))}
    assert complete(unsplit(every, own), Split(), seed=0).given == ("train", "test")


def test_without_groups_or_times_there_is_one_clear_error() -> None:
    every = [Example(str(i), i % 2) for i in range(20)]
    for by, remedies in REMEDIES.items():
        for kind, remedy in remedies.items():
            with pytest.raises(
                DataError, match=rf"data\.split\.by is {by}, but none of the 20 images has a {by}"
            ) as caught:
                complete(unsplit(every), Split(by=by), 0, kind)  # type: ignore[arg-type]
            assert remedy in str(caught.value.remedy)
    gaps = [*every, Example("x", 0, group="g", time="1")]
    with pytest.raises(DataError, match=r"by is group, but 20 of 21 images have no group, '0' first"):
        complete(unsplit(gaps), Split(by="group"), 0, "folder")
    few = [Example(str(i), i % 2, group=f"g{i % 2}", time="1") for i in range(20)]
    with pytest.raises(DataError, match="2 groups to divide, but at least 3"):
        complete(unsplit(few), Split(by="group"), seed=0)
    with pytest.raises(DataError, match="1 different times, but at least 3"):
        complete(unsplit(few), Split(by="time"), seed=0)


def test_the_past_trains_and_the_future_tests() -> None:
    every = patients()
    random.Random(0).shuffle(every)
    splits = complete(unsplit(every), Split(by="time", val=0.2, test=0.1), seed=0)
    years = {s: [int(str(splits.examples[i].time)) for i in of] for s, of in splits.streams.items()}
    assert max(years["train"]) < min(years["val"]) <= max(years["val"]) < min(years["test"])
    assert (len(years["val"]), len(years["test"])) == (24, 12), "equal times stay together"
    assert splits.how == "by time: val from 2021, test from 2027"


@pytest.mark.parametrize(
    ("times", "newest"),
    [
        (["2023-12-31", "2024-01-01T00:00:00", "2024-01-01T12:00:00+00:00", "2024-01-02"], "2024-01-02"),
        (["9", "10", "100", "1e3"], "1e3"),
        (["2019-02", "2019-10", "2020-01", "2018-12"], "2020-01"),
    ],
)
def test_times_are_compared_as_what_they_are(times: list[str], newest: str) -> None:
    every = [Example(f"{t}/{k}", k, time=t) for t in times for k in (0, 1)]
    splits = complete(unsplit(every), Split(by="time", val=0.25, test=0.25), seed=0)
    assert {splits.examples[i].time for i in splits.streams["test"]} == {newest}


@pytest.mark.parametrize("odd", ["yesterday", "2024-13-01", "nan", "inf"])
def test_a_time_that_cannot_be_read_is_told(odd: str) -> None:
    every = [Example(str(i), i % 2, time="2024-01-01" if i else odd) for i in range(20)]
    with pytest.raises(DataError, match="not every time is a date"):
        complete(unsplit(every), Split(by="time"), seed=0)


@pytest.mark.parametrize("by", ["ratio", "group"])
def test_folds_divide_what_is_not_the_test_s(by: str) -> None:
    folds = [
        complete(unsplit(patients()), Split(by=by, folds=5, fold=k), seed=0)  # type: ignore[arg-type]
        for k in range(5)
    ]
    assert len({fold.streams["test"] for fold in folds}) == 1, "the test is the same for all"
    parts = [set(fold.streams["val"]) for fold in folds]
    assert set.union(*parts) | set(folds[0].streams["test"]) == set(range(120))
    assert sum(len(part) for part in parts) + len(folds[0].streams["test"]) == 120
    assert all(min(fold.count_per_class("val").values()) > 0 for fold in folds)
    assert all(by == "ratio" or disjoint(groups(fold)) for fold in folds)
    assert folds[3].how.startswith("fold 3 of 5")


def test_folds_take_in_a_val_that_the_source_has_and_leave_its_test() -> None:
    every = patients(20, 2)
    given = {"train": tuple(range(20)), "val": tuple(range(20, 30)), "test": tuple(range(30, 40))}
    splits = complete(unsplit(every, given), Split(folds=2), seed=0)
    assert splits.streams["test"] == given["test"]
    assert len(splits.streams["val"]) == 15


def test_a_class_too_small_for_folds_is_named() -> None:
    every = [Example(str(i), int(i == 0), time="1") for i in range(20)]
    given = {"train": tuple(range(18)), "test": (18, 19)}
    with pytest.raises(DataError, match="class 'b' has 1 image"):
        complete(unsplit(every, given), Split(folds=3), seed=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 3, "fold": 3}, "fold 3 is none of 3"),
        ({"fold": 1}, "fold 1 is none of 1"),
        ({"folds": 3, "file": "split.json"}, "keep one of them"),
        ({"folds": 3, "by": "time"}, "train on what came later"),
        ({"folds": 1}, "greater than or equal to 2"),
    ],
)
def test_options_that_contradict_each_other(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Split.model_validate(options)


def test_a_recorded_split_decides_alone(tmp_path: Path) -> None:
    first = complete(unsplit(patients()), Split(by="group"), seed=5)
    (tmp_path / "split.json").write_text(json.dumps(split_record(first)))
    again = complete(unsplit(patients()), Split(file=str(tmp_path / "split.json")), seed=0)
    assert again.streams == first.streams
    assert again.how == f"as recorded in {tmp_path / 'split.json'}"


def _forged(streams: dict[str, list[str]]) -> str:
    """A record with a right digest that no ftcli would write."""
    from ftcli.plans.data_splits import _digest

    record = {"source": "paper", "classes": ["a", "b"], "streams": streams}
    return json.dumps({**record, "sha256": _digest(record)})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "cannot read the recorded split"),
        ("[]", "no record of a split"),
        ("{}", "no record of a split"),
        ("[" * 100_000, "cannot read the recorded split"),
        ('{"classes": ["a"], "streams": {"train": "00/0"}}', "no record of a split"),
        ('{"classes": [1], "streams": {}}', "no record of a split"),
        ('{"classes": ["a", "b"], "streams": {}}', "changed after it was written"),
        (_forged({"train": ["00/0", "01/0"]}), "has no val, test"),
        (_forged({"train": ["00/0", "01/0"], "val": ["00/0"], "test": ["02/0"]}), "twice, '00/0' first"),
        (_forged({"train": ["00/0", "01/0"], "val": ["gone"], "test": ["02/0"]}), "are gone, 'gone' first"),
        (_forged({"train": ["00/0"], "val": ["01/0"], "test": ["02/0"]}), "no training images of 'b'"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_record_is_an_error_of_the_data(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "s.json").write_text(content)
    with pytest.raises(DataError, match=message):
        complete(unsplit(patients()), Split(file=str(tmp_path / "s.json")), seed=0)


def test_a_recorded_split_that_tears_groups_apart_is_refused_by_group(tmp_path: Path) -> None:
    first = complete(unsplit(patients()), Split(), seed=0)
    (tmp_path / "s.json").write_text(json.dumps(split_record(first)))
    with pytest.raises(DataError, match="stands in"):
        complete(unsplit(patients()), Split(by="group", file=str(tmp_path / "s.json")), seed=0)
