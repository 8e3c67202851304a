"""Fewer training images: exactly so many, in the classes' shares, each size within the next, val and test untouched."""

from __future__ import annotations

from collections import Counter

import pytest

from ftcli.components.data._common import Split, complete
from ftcli.components.data._train_size import cut_train
from ftcli.errors import DataError
from ftcli.plans.data_splits import TEST, TRAIN, VAL, DataSplits, Example, split_record

CLASSES = {"many": 600, "some": 300, "few": 100}


def source() -> DataSplits:
    labels = [label for label, count in enumerate(CLASSES.values()) for _ in range(count)]
    examples = tuple(Example(f"{i:04}", label) for i, label in enumerate(labels))
    return DataSplits(
        "made", tuple(CLASSES), examples, {TRAIN: tuple(range(1000))}, lambda i: pytest.fail("none is read")
    )


def of(size: int | None, seed: int = 0, **split: object) -> DataSplits:
    return complete(source(), Split.model_validate({"train_size": size, **split}), seed)


@pytest.mark.parametrize("size", [3, 10, 50, 173, 700])
def test_exactly_so_many_in_the_shares_of_the_classes(size: int) -> None:
    splits = of(size)
    counts = splits.count_per_class(TRAIN)
    assert sum(counts.values()) == len(set(splits.streams[TRAIN])) == size
    for name, count in CLASSES.items():
        assert counts[name] >= 1
        assert counts[name] == pytest.approx(size * count / 1000, abs=2)


def test_the_fewer_are_among_the_more() -> None:
    sets = [set(of(size).streams[TRAIN]) for size in (5, 20, 50, 100, 400, 700)]
    for smaller, larger in zip(sets, sets[1:], strict=False):
        assert smaller < larger
    assert sets[-1] == set(of(None).streams[TRAIN])


def test_val_and_test_are_those_of_the_whole() -> None:
    whole, cut = of(None), of(40)
    assert (cut.streams[VAL], cut.streams[TEST]) == (whole.streams[VAL], whole.streams[TEST])


def test_another_seed_draws_others_and_the_same_one_the_same() -> None:
    assert of(40).streams == of(40).streams
    recorded = source()
    assert cut_train(recorded, 40, 0).streams != cut_train(recorded, 40, 1).streams


def test_the_record_of_the_split_says_so() -> None:
    record = split_record(of(40))
    assert record["how"] == "40 of 700 training images"
    assert record["counts"] == {"train": 40, "val": 150, "test": 150}
    assert split_record(of(None)).get("how") is None
    assert of(40, folds=4).how == "fold 0 of 4; 40 of 638 training images"


def test_a_recorded_split_is_cut_too(tmp_path) -> None:  # type: ignore[no-untyped-def]
    import json

    file = tmp_path / "split.json"
    file.write_text(json.dumps(split_record(of(None))))
    cut = of(40, file=str(file))
    assert Counter(len(indices) for indices in cut.streams.values()) == Counter([40, 150, 150])
    assert cut.streams[TRAIN] == of(40).streams[TRAIN]


@pytest.mark.parametrize(
    ("size", "message"),
    [(701, "train has 700 images, fewer than the 701"), (2, "none is of class 'few'")],
)
def test_sizes_that_cannot_be(size: int, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        of(size)
    assert caught.value.where == "data.split.train_size"
