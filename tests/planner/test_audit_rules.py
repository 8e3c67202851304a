"""Each rule sees what it is for, and stays silent on data that are as they should be."""

from __future__ import annotations

from dataclasses import replace

from ftcli.findings import Finding
from ftcli.planner.audit_rules import Seen, audit_findings, not_checked
from ftcli.plans.audit import ImageFacts, Pair
from ftcli.plans.data_splits import DataSplits, Example


def data(train: int = 40, test: int = 40) -> DataSplits:
    """Two classes by turns, `train` images and then `test` ones; nothing for val."""
    examples = tuple(Example(f"{'cat' if i % 2 else 'dog'}/{i:03}.png", i % 2) for i in range(train + test))
    streams = {"train": tuple(range(train)), "test": tuple(range(train, train + test))}

    def load(index: int):  # type: ignore[no-untyped-def]
        raise AssertionError("a rule opens no image")

    return DataSplits("pets", ("dog", "cat"), examples, streams, load)


def facts(splits: DataSplits, **changed: object) -> list[ImageFacts]:
    fair = ImageFacts(0, 64, 64, (100.0, 110.0, 120.0), (40.0, 40.0, 40.0), 200)
    return [replace(fair, index=index, **changed) for index in range(len(splits.examples))]  # type: ignore[arg-type]


def pair(kind: str, first: int, second: int, streams: tuple[str, str], labels=("cat", "cat")) -> Pair:  # type: ignore[no-untyped-def]
    return Pair(kind, first, second, f"{first}.png", f"{second}.png", streams, labels, "mirrored", 0.01)  # type: ignore[arg-type]


def found(splits: DataSplits, seen_facts: list[ImageFacts] | None = None, *pairs: Pair) -> dict[str, Finding]:
    seen = Seen(splits, facts(splits) if seen_facts is None else seen_facts, pairs)
    return {finding.rule: finding for finding in audit_findings(seen)}


def with_examples(splits: DataSplits, **changed: object) -> DataSplits:
    """The examples with fields of their own: a list, an item an example."""
    made = tuple(
        replace(example, **{name: values[i] for name, values in changed.items()})  # type: ignore[index]
        for i, example in enumerate(splits.examples)
    )
    return replace(splits, examples=made)


def test_fair_data_have_no_findings() -> None:
    assert found(data()) == {}


def test_copies_across_splits_by_what_they_spoil() -> None:
    leaks = found(
        data(), None, pair("exact", 1, 41, ("train", "test")), pair("near", 2, 42, ("train", "test"))
    )
    assert leaks["duplicate-across-splits"].severity == "error"
    assert leaks["near-duplicate-across-splits"].severity == "error"
    assert "1.png = 41.png" in leaks["duplicate-across-splits"].message
    mild = found(data(), None, pair("near", 2, 42, ("train", "val")))
    assert mild["near-duplicate-across-splits"].severity == "warning"
    inside = found(data(), None, pair("exact", 1, 2, ("train", "train")))
    assert {rule: f.severity for rule, f in inside.items()} == {"duplicate-within-split": "info"}


def test_one_image_under_two_labels() -> None:
    two = found(data(), None, pair("exact", 1, 2, ("train", "train"), ("cat", "dog")))
    assert two["same-image-two-labels"].severity == "error"
    assert "1.png (cat) = 2.png (dog)" in two["same-image-two-labels"].message
    near = found(data(), None, pair("near", 1, 2, ("train", "train"), ("cat", "dog")))
    assert near["near-duplicate-two-labels"].severity == "warning"


def test_a_group_in_two_splits() -> None:
    apart = with_examples(data(), group=[f"g{i // 4}" for i in range(80)])
    assert found(apart) == {}
    torn = with_examples(data(), group=["one", *[None] * 78, "one"])
    assert "1 group of 1" in found(torn)["group-in-two-splits"].message


def test_train_later_than_test() -> None:
    days = [f"2024-01-{1 + i // 4:02}" for i in range(80)]
    assert found(with_examples(data(), time=days)) == {}
    mixed = found(with_examples(data(), time=days[::-1]))
    assert mixed["time-overlap"].severity == "error"
    assert "40 images of train (100.0%)" in mixed["time-overlap"].message
    assert found(with_examples(data(), time=["soon"] * 80)) == {}
    assert "time-overlap" in found(with_examples(data(), time=[str(9000 - i) for i in range(80)]))


def test_times_of_other_forms() -> None:
    months = [f"20{10 + i:02}-05" for i in range(80)]
    assert "2089-05" not in found(with_examples(data(), time=months))
    assert (
        "later than the first of test, 2010-05"
        in found(with_examples(data(), time=months[::-1]))["time-overlap"].message
    )
    milliseconds = [str(1_700_000_000_000 - i) for i in range(80)]
    assert "time-overlap" in found(with_examples(data(), time=milliseconds))


def test_remedies_name_the_command_of_these_data() -> None:
    splits = with_examples(data(), group=["one", *[None] * 78, "one"], time=[str(90 - i) for i in range(80)])
    seen = Seen(splits, facts(splits), [pair("exact", 1, 41, ("train", "test"))], "ftcli audit my/photos")
    remedies = [finding.remedy for finding in audit_findings(seen)]
    assert len(remedies) == 3
    assert all("ftcli audit my/photos " in remedy and "--fix-split" in remedy for remedy in remedies)
    unknown = [finding.remedy for finding in audit_findings(replace(seen, command=None))]
    assert all("DATA" not in remedy and "this recipe" in remedy for remedy in unknown)


def unchecked(splits: DataSplits, seen_facts: list[ImageFacts] | None = None) -> dict[str, str]:
    seen = Seen(splits, facts(splits) if seen_facts is None else seen_facts, ())
    return {line.what: line.why for line in not_checked(seen)}


def test_what_was_not_checked_is_said() -> None:
    whole = with_examples(data(), group=[str(i // 4) for i in range(80)], time=[str(i) for i in range(80)])
    assert unchecked(replace(whole, given=("train", "test"))) == {}
    assert "data.group_column" in unchecked(data())["groups"]
    assert "data.time_column" in unchecked(data())["time"]
    some = with_examples(data(), group=["a", *[None] * 79], time=["2024-01-01", "soon", *["2024-02-01"] * 78])
    assert "79 of 80 images" in unchecked(some)["groups"]
    assert "1 of 80 images" in unchecked(some)["time"]
    assert "test was drawn by ftcli" in unchecked(data())["a split of their own"]
    assert "too short" in unchecked(replace(data(), classes=("a", "b")))["labels in file names"]
    assert "fewer than 20" in unchecked(data(train=40, test=10))["pixel statistics"]
    seen = facts(data())
    seen[0] = ImageFacts(0, error="cannot read the image: truncated")
    assert unchecked(data(), seen)["copies"] == "1 image cannot be read"


def test_a_name_that_spells_another_class() -> None:
    splits = data()
    keys = [example.key for example in splits.examples]
    keys[3] = "cat/my_Dog-017.png"
    keys[5] = "cat/dog_and_cat.png"
    keys[7] = "cat/dogma.png"
    spelled = found(with_examples(splits, key=keys))["label-in-file-name"]
    assert spelled.message.startswith("1 file name")
    assert "cat/my_Dog-017.png (cat)" in spelled.message


def test_numbers_as_classes_are_in_many_file_names() -> None:
    assert found(replace(data(), classes=("0", "1"))) == {}


def test_balance() -> None:
    splits = data()
    few = replace(splits, streams={"train": (*range(0, 40, 2), 1), "test": tuple(range(40, 80, 2))})
    rules = found(few)
    assert set(rules) == {"class-imbalance", "tiny-class", "class-missing-from-split"}
    assert "dog has 20 training images, cat has 1" in rules["class-imbalance"].message
    assert rules["class-missing-from-split"].where == "test"


def test_images_that_show_nothing() -> None:
    splits = data()
    seen = facts(splits)
    seen[0] = ImageFacts(0, error="cannot read the image: truncated")
    seen[1] = replace(seen[1], width=3)
    seen[2] = replace(seen[2], spread=0)
    seen[3] = replace(seen[3], spread=5)
    rules = found(splits, seen)
    assert set(rules) == {"unreadable-image", "tiny-image", "all-equal-image", "blank-image"}
    assert rules["unreadable-image"].severity == "error"
    assert "truncated" in rules["unreadable-image"].message


def test_train_and_test_from_two_cameras() -> None:
    splits = data()
    jitter = [replace(f, mean=(100.0 + i % 7,) * 3) for i, f in enumerate(facts(splits))]
    assert found(splits, jitter) == {}
    moved = [replace(f, mean=(130.0 + i % 7,) * 3) if i >= 40 else f for i, f in enumerate(jitter)]
    assert "brightness 103 and 133" in found(splits, moved)["pixel-statistics-differ"].message
