"""k-fold on real digits: each fold a run of its own, one test for all, mean and spread by hand."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean, stdev

import pytest

from ftcli.engine.images import ImageStore
from ftcli.errors import UsageError
from ftcli.events import FoldStarted, Noticed, PlanReady
from ftcli.workflows.absolute_paths import with_absolute_paths
from ftcli.workflows.decoded import Decoded, image_batches
from ftcli.workflows.out_of_fold import pooled
from ftcli.workflows.prepare import prepare
from ftcli.workflows.train import train
from ftcli.workflows.train_folds import FoldsResult, of_fold, tell_default, train_folds
from tests.toys import ignore, recipe, recorder, write_digits


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("folds")
    write_digits(path / "digits", per_class=12, classes=3)
    return path


def of_three(place: Path, **split: object):  # type: ignore[no-untyped-def]
    data = {"kind": "folder", "path": str(place / "digits"), "image_size": 32}
    return recipe(place, data={**data, "split": {"folds": 3, **split}}, train={"epochs": 1, "batch_size": 8})


@pytest.fixture(scope="module")
def result(place: Path) -> FoldsResult:
    return train_folds(of_three(place), out=place / "runs" / "toy", resume=False, listener=ignore)


def split(run: str) -> dict[str, list[str]]:
    streams: dict[str, list[str]] = json.loads((Path(run) / "split.json").read_text())["streams"]
    return streams


def test_each_fold_is_a_run_and_every_image_validates_once(place: Path, result: FoldsResult) -> None:
    runs = [fold.run for fold in result.folds]
    assert runs == [str(place / "runs" / f"toy-fold{k}") for k in range(3)]
    tests = [split(run)["test"] for run in runs]
    assert tests[0] == tests[1] == tests[2]
    validated = [key for run in runs for key in split(run)["val"]]
    assert len(validated) == len(set(validated)) == 36 - len(tests[0])
    assert not set(validated) & set(tests[0])
    record = json.loads((Path(runs[1]) / "split.json").read_text())
    assert record["how"] == "fold 1 of 3"


def test_mean_and_spread_are_those_of_the_folds(result: FoldsResult) -> None:
    values = [fold.test.accuracy for fold in result.folds]
    spread = result.spread("test", "accuracy")
    assert spread is not None
    assert spread.values == tuple(values)
    assert spread.mean == pytest.approx(mean(values))
    assert spread.std == pytest.approx(stdev(values))
    told = json.loads(json.dumps(result.to_dict()))
    assert told["num_folds"] == len(told["folds"]) == 3
    assert told["test"]["accuracy"]["mean"] == pytest.approx(mean(values))
    assert told["ceiling"] is None, "a random backbone trained whole has no ceiling beside its floor"


def test_a_single_fold_is_the_same_run(place: Path, result: FoldsResult) -> None:
    one = of_fold(of_three(place), 1)
    assert one.name == "toy-fold1"
    again = train(one, out=place / "alone", resume=False, listener=ignore)
    assert again.test == result.folds[1].test
    assert split(again.run) == split(result.folds[1].run)


def test_complete_folds_are_taken_as_they_are(place: Path, result: FoldsResult) -> None:
    events, listener = recorder()
    again = train_folds(of_three(place), out=place / "runs" / "toy", resume=True, listener=listener)
    assert again.to_dict() == result.to_dict()
    notices = [event for event in events if isinstance(event, Noticed)]
    assert len(notices) == 3, "one a fold"


def test_every_example_but_the_tests_counts_once_out_of_its_fold(result: FoldsResult) -> None:
    """By hand, from what each run left: right ones over all, and F1 by scikit-learn."""
    from sklearn.metrics import f1_score

    left = [json.loads((Path(fold.run) / "out_of_fold.json").read_text()) for fold in result.folds]
    for fold, part in zip(result.folds, left, strict=True):
        assert part["keys"] == split(fold.run)["val"]
        assert fold.val is not None
        right = [a == b for a, b in zip(part["labels"], part["predicted"], strict=True)]
        assert mean(right) == pytest.approx(fold.val.accuracy), "by the weights that the run keeps"
    labels = [label for part in left for label in part["labels"]]
    predicted = [label for part in left for label in part["predicted"]]
    pooled = result.pooled
    assert pooled is not None
    assert pooled.num_examples == 36 - len(split(result.folds[0].run)["test"])
    assert pooled.accuracy == pytest.approx(mean(a == b for a, b in zip(labels, predicted, strict=True)))
    assert pooled.macro_f1 == pytest.approx(f1_score(labels, predicted, average="macro"), abs=1e-6)
    low, high = pooled.intervals["accuracy"]
    assert low <= pooled.accuracy <= high
    assert result.to_dict()["pooled"]["num_examples"] == pooled.num_examples


def test_a_fold_from_before_has_nothing_to_pool(result: FoldsResult, tmp_path: Path) -> None:
    runs = [fold.run for fold in result.folds]
    assert pooled(runs, 0) == result.pooled
    assert pooled([*runs[:2], str(tmp_path)], 0) is None
    assert pooled([*runs, runs[0]], 0) is None, "an example may not count twice"
    (tmp_path / "out_of_fold.json").write_text(
        '{"classes": [], "keys": ["a"], "labels": [], "predicted": []}'
    )
    assert pooled([str(tmp_path)], 0) is None


def test_images_are_decoded_once_for_all_folds(
    place: Path, tmp_path: Path, result: FoldsResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the numbers are the same as of folds that decode their own."""
    monkeypatch.setenv("FTCLI_CACHE_GB", "0")  # what earlier runs have kept would hide it
    decoded: list[int] = []
    prepare_one = ImageStore._prepare
    monkeypatch.setattr(ImageStore, "_prepare", lambda self, i: decoded.append(i) or prepare_one(self, i))
    events, listener = recorder()
    again = train_folds(of_three(place), out=tmp_path / "toy", resume=False, listener=listener)
    assert sorted(decoded) == list(range(36))
    alone = train(of_fold(of_three(place), 2), out=tmp_path / "alone", resume=False, listener=ignore)
    assert (alone.test, alone.val) == (again.folds[2].test, again.folds[2].val)
    told = [event for event in events if isinstance(event, FoldStarted | PlanReady)]
    assert [type(event) for event in told] == [FoldStarted, PlanReady] * 3
    assert told[2] == FoldStarted(1, 3)


def test_other_images_are_not_taken_for_these(place: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    prepared = prepare(of_three(place))
    decoded = Decoded()
    batches = image_batches(of_three(place), prepared, lambda done, total: None, decoded)
    splits, preprocessing = prepared.splits, prepared.plan.preprocessing
    assert decoded.store is batches.store
    assert decoded.of(splits, preprocessing) is not None
    assert decoded.of(replace(splits, examples=splits.examples[:-1]), preprocessing) is None
    assert decoded.of(splits, replace(preprocessing, image_size=64)) is None


def test_how_many_folds_there_are_is_told_where_the_recipe_does_not(place: Path) -> None:
    events, listener = recorder()
    tell_default(recipe(place), listener)
    tell_default(of_three(place), listener)
    (notice,) = events
    assert isinstance(notice, Noticed)
    assert "so there are 5" in notice.finding.message


def test_a_fold_that_there_is_not(place: Path) -> None:
    with pytest.raises(UsageError, match="there is no fold 3: there are 3, counted from 0") as caught:
        of_fold(of_three(place), 3)
    assert caught.value.where == "--fold 3", "the recipe has nothing to do with it"
    assert "--fold 0 to 2" in str(caught.value.remedy)
    assert of_fold(recipe(place), 4).data.split.folds == 5


def test_bad_images_are_skipped_on_record(tmp_path: Path) -> None:
    folder = write_digits(tmp_path / "digits", per_class=12, classes=3)
    broken = [folder / "digit 0" / "003.png", folder / "digit 0" / "004.png", folder / "digit 2" / "001.png"]
    for path in broken:
        path.write_bytes(path.read_bytes()[:60])
    data = {"kind": "folder", "path": str(folder), "image_size": 32, "on_bad_image": "skip"}
    made = recipe(folder, data=data, train={"epochs": 1, "batch_size": 8})

    result = train(made, out=tmp_path / "run", resume=False, listener=ignore)

    record = json.loads((tmp_path / "run" / "split.json").read_text())
    keys = {path.relative_to(folder).as_posix() for path in broken}
    assert set(record["left_out"]) == keys
    assert sum(record["counts"].values()) == 33
    assert not keys & {key for stream in record["streams"].values() for key in stream}
    finding = next(found for found in result.findings if found.rule == "bad-images-skipped")
    assert "3 images are left out" in finding.message
    assert "2 of 'digit 0', 1 of 'digit 2'" in finding.message
    plan = json.loads((tmp_path / "run" / "plan.json").read_text())
    assert plan["num_train"] == record["counts"]["train"]


def test_skipped_images_are_read_once_and_the_rest_keep_their_stream(tmp_path: Path) -> None:
    folder = write_digits(tmp_path / "digits", per_class=12, classes=3)
    data = {"kind": "folder", "path": str(folder), "image_size": 32, "on_bad_image": "skip"}
    whole = prepare(recipe(folder, data=data))
    (folder / "digit 0" / "003.png").write_bytes(b"")
    read: list[int] = []
    prepared = prepare(recipe(folder, data=data), lambda done, total: read.append(done))
    assert len(read) == 36
    image_batches(recipe(folder, data=data), prepared, lambda done, total: read.append(done))
    assert len(read) == 36, "what was read for the plan is not read again"
    for stream, indices in prepared.splits.streams.items():
        assert set(indices) == set(whole.splits.streams[stream]) - {
            i for i, e in enumerate(whole.splits.examples) if e.key == "digit 0/003.png"
        }


def test_a_bound_on_pixels_holds_in_a_run(tmp_path: Path) -> None:
    from ftcli.errors import DataError

    folder = write_digits(tmp_path / "digits", per_class=12, classes=3)
    data = {"kind": "folder", "path": str(folder), "image_size": 32, "max_pixels": 63}
    with pytest.raises(DataError, match="8 x 8 pixels are more than 63"):
        train(recipe(folder, data=data), out=tmp_path / "run", resume=False, listener=ignore)
    assert not (tmp_path / "run").exists()


def test_a_run_keeps_where_its_recorded_split_lies(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = {"kind": "folder", "path": str(place / "digits"), "split": {"file": "split.json"}}
    assert with_absolute_paths(recipe(place, data=data)).data.split.file == str(tmp_path / "split.json")
